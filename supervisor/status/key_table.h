// The registry as workers and the KMS service see it: the keys that decrypt and the one that
// encrypts.

#pragma once

#include <cstdint>

#include "common/base/result.h"
#include "common/contract/registry.h"
#include "proto/ipc.pb.h"
#include "supervisor/status/status_source.h"

namespace baokms::supervisor {

// The table that gives every worker this registry. kResourceExhausted: more keys than one message
// holds, or a version over 32 bits.
Result<ipc::KeyTable> MakeKeyTable(const contract::RegistryState& state, std::uint64_t generation);

// The keys of a table that MakeKeyTable() made.
PublishedKeys ShowKeys(const ipc::KeyTable& table);

}  // namespace baokms::supervisor
