// The first generation of the registry, and the transitions between generations that the state
// machine may save. Operator commands that retire and restore keys have their own rules.

#pragma once

#include <cstdint>

#include "common/base/result.h"
#include "common/contract/identity.h"
#include "common/contract/key_profile.h"
#include "common/contract/registry.h"

namespace baokms::contract {

// The first state of a node. It is built only for a key that was never rotated: otherwise an older
// version could be in use without this node's knowledge.
//
// Builds generation 1 with version 1 active since `now_unix`. Fails with kFailedPrecondition when
// the key was rotated or version 1 cannot be used. The caller must have checked the key's profile,
// and that neither a state file nor a checkpoint exists.
Result<RegistryState> BuildFirstState(const ConfigIdentity& identity,
                                      const TransitKeyMetadata& metadata,
                                      std::int64_t now_unix);

// Checks that `to` may be saved over `from`: same configuration, newer and linked generation,
// active version not smaller, no key lost that may have encrypted data, removed records unchanged.
Status CheckTransition(const RegistryState& from, const RegistryState& to);

}  // namespace baokms::contract
