// The registry changes that an operator may make (docs/contract.md#operator-commands): remove
// retired keys, restore removed ones, migrate a file of the older schema, rebuild a lost registry.
// All functions are pure: they write nothing, and whether OpenBao still has the keys is checked
// elsewhere.

#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "common/base/result.h"
#include "common/contract/checkpoint.h"
#include "common/contract/identity.h"
#include "common/contract/key_profile.h"
#include "common/contract/registry.h"
#include "common/contract/registry_json.h"

namespace baokms::contract {

struct OperatorStep {
  std::optional<RegistryState> next;  // empty: no change is necessary
  std::vector<KeyRecord> changed;     // as they are in `next`, in file order
};

// Removes every retired record below `before_version`; active and pending records stay. Fails with
// kInvalidArgument unless 1 < before_version <= active version.
Result<OperatorStep> RetireBefore(const RegistryState& state, std::int64_t before_version);

// Restores the removed records of these versions to retired. Fails with kInvalidArgument when a
// version is duplicated or not between 1 and the active one, and with kFailedPrecondition when it
// is not removed.
Result<OperatorStep> RestoreVersions(const RegistryState& state,
                                     std::span<const std::int64_t> versions);

// Checks that `to` is linked to `from` and differs from it only by retiring or restoring.
Status CheckOperatorTransition(const RegistryState& from, const RegistryState& to);

// Builds the generation after a file of schema v1alpha1, linked to it, with the same records in the
// same order. `identity` is the configured one; fails with kFailedPrecondition when a record has
// another identity.
Result<RegistryState> MigrateLegacy(const LegacyState& legacy, const ConfigIdentity& identity);

// Rebuilds the registry of a rotated key from OpenBao's metadata alone: the latest version is
// active, and every older one that can still decrypt is retired. Observation times are unknown and
// omitted, so that the same metadata always yields the same hash. If a checkpoint survived the loss
// of its state file, the new generation follows it; otherwise it is the first. Fails with
// kFailedPrecondition when the key was never rotated, because no recovery is necessary then.
Result<RegistryState> RebuildState(const ConfigIdentity& identity,
                                   const TransitKeyMetadata& metadata,
                                   const std::optional<Checkpoint>& checkpoint);

}  // namespace baokms::contract
