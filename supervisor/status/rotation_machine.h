// The rotation state machine of docs/contract.md#rotation as pure functions: how a good metadata
// read changes the registry. It reads no clock and no file, and sends nothing.

#pragma once

#include <cstdint>
#include <optional>

#include "common/base/clock.h"
#include "common/contract/identity.h"
#include "common/contract/key_profile.h"
#include "common/contract/registry.h"

namespace baokms::supervisor {

struct RotationPolicy {
  std::int64_t required_observations = 3;
  BootTime activation_delay{};
};

// Why metadata cannot be accepted; the registry stays unchanged.
enum class RotationFailure : std::uint8_t {
  kStateForeign,     // the registry does not belong to this configuration
  kProfileInvalid,   // the key does not meet the key profile
  kVersionRollback,  // its latest version is below the active one
  kKeyUnusable,      // a key that data may be encrypted with is missing, blocked or replaced
  kStateInvalid,     // the resulting registry would be invalid
  kRegistryFull,     // no room for the new keys; the existing ones stay usable
};

enum class RotationChange : std::uint8_t {
  kNone,
  kBookkeeping,  // concerns a pending record only: no key that decrypts or encrypts changed
  kKeys,
};

enum class Encryption : std::uint8_t { kOpen, kBlocked };

// Whether the wall clock went backwards; a backward step is not followed.
enum class ClockOrder : std::uint8_t { kKept, kRegressed };

struct Observation {
  std::optional<RotationFailure> failure;
  std::optional<contract::RegistryState> next;  // must be saved; empty: nothing changed
  RotationChange change = RotationChange::kNone;
  ClockOrder clock = ClockOrder::kKept;
};

// Returns whether the metadata passes all checks of the key profile (docs/contract.md#key-profile).
bool IsProfileValid(const contract::TransitKeyMetadata& metadata);

// Step 3: returns the first record that data may be encrypted with and that is missing in OpenBao,
// blocked or replaced; nullptr if there is none.
const contract::KeyRecord* FindUnusable(const contract::RegistryState& state,
                                        const contract::TransitKeyMetadata& metadata);

// Whether an observation counts towards stability: scheduled probes do, other probes and discovery
// do not.
enum class Counting : std::uint8_t { kCounts, kDoesNotCount };

// Runs steps 1 to 5 up to, but without, promotion.
Observation Observe(const contract::RegistryState& state,
                    const contract::TransitKeyMetadata& metadata,
                    const contract::ConfigIdentity& identity,
                    const RotationPolicy& policy,
                    Counting counting,
                    std::int64_t now_unix);

// Step 6: whether Transit refuses to encrypt with the active version.
Encryption EncryptionWith(const contract::RegistryState& state,
                          const contract::TransitKeyMetadata& metadata);

// Returns the pending record, or nullptr.
const contract::KeyRecord* PendingOf(const contract::RegistryState& state);

// Runs from the moment a stable candidate is durable and published. Never saved: a restart begins
// it again.
struct ActivationTimer {
  contract::KeyId candidate;
  BootTime started;

  friend bool operator==(const ActivationTimer&, const ActivationTimer&) = default;
};

// Returns the timer after `state` was saved and published: started, kept, or removed because there
// is no stable candidate or a different one.
std::optional<ActivationTimer> AdvanceTimer(const contract::RegistryState& state,
                                            const RotationPolicy& policy,
                                            const std::optional<ActivationTimer>& timer,
                                            BootTime now);

// Returns whether the activation delay has passed, so that the candidate may be probed and
// promoted.
bool IsDue(const std::optional<ActivationTimer>& timer, const RotationPolicy& policy, BootTime now);

struct Promotion {
  std::optional<contract::RegistryState> next;  // empty: the resulting registry would be invalid
  ClockOrder clock = ClockOrder::kKept;
};

// Makes the pending record active and the active one retired. There must be a pending record.
Promotion Promote(const contract::RegistryState& state, std::int64_t now_unix);

}  // namespace baokms::supervisor
