// The state of a node that has none yet. Only for a key that was never rotated: an older version
// could otherwise be in use without this node knowing.

#pragma once

#include <cstdint>

#include "common/base/result.h"
#include "common/contract/identity.h"
#include "common/contract/key_profile.h"
#include "common/contract/registry.h"

namespace baokms::contract {

// Generation 1 with version 1 active since `now_unix`. kFailedPrecondition when the key was
// rotated or version 1 can not be used. The caller has checked the profile, and that neither state
// file nor checkpoint exists.
Result<RegistryState> BuildFirstState(const ConfigIdentity& identity,
                                      const TransitKeyMetadata& metadata,
                                      std::int64_t now_unix);

}  // namespace baokms::contract
