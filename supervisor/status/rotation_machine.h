// The rotation state machine of docs/contract.md#rotation, as pure functions: what a good metadata
// read does to the registry. It reads no clock, no file, and asks nobody.

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

// Why metadata cannot be accepted; the registry stays as it is.
enum class RotationFailure : std::uint8_t {
  kStateForeign,     // the registry does not belong to this configuration
  kProfileInvalid,   // the key must not protect a cluster
  kVersionRollback,  // its latest version is below the active one
  kKeyUnusable,      // a key that data may be encrypted with is gone, blocked, or another key
  kStateInvalid,     // what would follow is no valid registry
  kRegistryFull,     // there is no room for what it adds; the keys that are there stay usable
};

enum class RotationChange : std::uint8_t {
  kNone,
  kBookkeeping,  // of a pending record only: nothing that decrypts or encrypts changed
  kKeys,
};

enum class Encryption : std::uint8_t { kOpen, kBlocked };

// A wall clock that went backwards was not followed.
enum class ClockOrder : std::uint8_t { kKept, kRegressed };

struct Observation {
  std::optional<RotationFailure> failure;
  std::optional<contract::RegistryState> next;  // to be saved; empty: nothing changed
  RotationChange change = RotationChange::kNone;
  ClockOrder clock = ClockOrder::kKept;
};

// The checks of the contract's 9.2, all of them.
bool IsProfileValid(const contract::TransitKeyMetadata& metadata);

// Scheduled probes count towards stability; others and discovery do not.
enum class Counting : std::uint8_t { kCounts, kDoesNotCount };

// Steps 1 to 5 up to, but without, promotion.
Observation Observe(const contract::RegistryState& state,
                    const contract::TransitKeyMetadata& metadata,
                    const contract::ConfigIdentity& identity,
                    const RotationPolicy& policy,
                    Counting counting,
                    std::int64_t now_unix);

// Step 6: Transit refuses to encrypt with the active version.
Encryption EncryptionWith(const contract::RegistryState& state,
                          const contract::TransitKeyMetadata& metadata);

// The pending record, or nullptr.
const contract::KeyRecord* PendingOf(const contract::RegistryState& state);

// Runs from the moment a stable candidate is durable and published. Never saved: a restart starts
// it again.
struct ActivationTimer {
  contract::KeyId candidate;
  BootTime started;

  friend bool operator==(const ActivationTimer&, const ActivationTimer&) = default;
};

// The timer after `state` was saved and published: started, kept, or gone because there is no
// stable candidate or another one.
std::optional<ActivationTimer> AdvanceTimer(const contract::RegistryState& state,
                                            const RotationPolicy& policy,
                                            const std::optional<ActivationTimer>& timer,
                                            BootTime now);

// The activation delay is over: the candidate may be probed and promoted.
bool IsDue(const std::optional<ActivationTimer>& timer, const RotationPolicy& policy, BootTime now);

struct Promotion {
  std::optional<contract::RegistryState> next;  // empty: no valid registry would follow
  ClockOrder clock = ClockOrder::kKept;
};

// Makes the pending record active and the active one retired. There must be a pending record.
Promotion Promote(const contract::RegistryState& state, std::int64_t now_unix);

}  // namespace baokms::supervisor
