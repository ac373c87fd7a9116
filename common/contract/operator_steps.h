// What an operator may do to the registry (docs/contract.md#operator-commands): take retired
// keys out, put removed ones back, carry a file of the older schema over, rebuild what was lost.
// Pure decisions: whether OpenBao still has the keys is judged elsewhere, and nothing is written.

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
  std::optional<RegistryState> next;  // empty: there is nothing to do
  std::vector<KeyRecord> changed;     // as they are in `next`, in file order
};

// Every retired record below `before_version` becomes removed; active and pending ones stay.
// kInvalidArgument unless 1 < before_version <= active version.
Result<OperatorStep> RetireBefore(const RegistryState& state, std::int64_t before_version);

// The removed records of these versions become retired. kInvalidArgument when a version is named
// twice or not between 1 and the active one; kFailedPrecondition when it is not removed.
Result<OperatorStep> RestoreVersions(const RegistryState& state,
                                     std::span<const std::int64_t> versions);

// `to` follows `from` by nothing but retiring or restoring: linked, equal in everything else.
Status CheckOperatorTransition(const RegistryState& from, const RegistryState& to);

// The generation after a file of schema v1alpha1, with the same records in the same order, linked
// to it. `identity` is the configured one; kFailedPrecondition when a record has another.
Result<RegistryState> MigrateLegacy(const LegacyState& legacy, const ConfigIdentity& identity);

// A registry for a rotated key, from nothing but what OpenBao says: the latest version is active,
// every older one that can still decrypt is retired. Times of observation are not known and left
// out, so that the same metadata always gives the same hash. With a checkpoint that outlived its
// state file the new generation follows it; without, it is the first.
// kFailedPrecondition when the key was never rotated: that needs no recovery.
Result<RegistryState> RebuildState(const ConfigIdentity& identity,
                                   const TransitKeyMetadata& metadata,
                                   const std::optional<Checkpoint>& checkpoint);

}  // namespace baokms::contract
