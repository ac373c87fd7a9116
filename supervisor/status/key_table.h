// Converts the registry into what workers and the KMS service use: the keys that decrypt and the
// one that encrypts.

#pragma once

#include <cstdint>

#include "common/base/result.h"
#include "common/contract/registry.h"
#include "proto/ipc.pb.h"
#include "supervisor/status/status_source.h"

namespace baokms::supervisor {

// Builds the table that publishes this registry to every worker. kResourceExhausted: a version or
// creation time exceeds what messages can carry; OpenBao creates none like it.
Result<ipc::KeyTable> MakeKeyTable(const contract::RegistryState& state, std::uint64_t generation);

// Returns the keys of a registry that MakeKeyTable() accepted, once the workers have the table.
PublishedKeys ShowKeys(const contract::RegistryState& state, std::uint64_t generation);

}  // namespace baokms::supervisor
