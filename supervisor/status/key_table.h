// The registry as workers and the KMS service see it: the keys that decrypt and the one that
// encrypts.

#pragma once

#include <cstdint>

#include "common/base/result.h"
#include "common/contract/registry.h"
#include "proto/ipc.pb.h"
#include "supervisor/status/status_source.h"

namespace baokms::supervisor {

// The table that gives every worker this registry. kResourceExhausted: a version or a creation time
// beyond what messages carry; no OpenBao has one.
Result<ipc::KeyTable> MakeKeyTable(const contract::RegistryState& state, std::uint64_t generation);

// The keys of a registry that MakeKeyTable() took, once the workers have the table.
PublishedKeys ShowKeys(const contract::RegistryState& state, std::uint64_t generation);

}  // namespace baokms::supervisor
