// Converts between the registry's terms and the workers' messages: the table of keys that they
// receive, and the metadata that they read (docs/contract.md#key-profile).

#pragma once

#include <cstdint>

#include "common/base/result.h"
#include "common/contract/key_profile.h"
#include "common/contract/registry.h"
#include "proto/ipc.pb.h"
#include "supervisor/status/status_source.h"

namespace baokms::supervisor {

// Builds the table that publishes this registry to every worker. kResourceExhausted: a version or
// creation time exceeds what messages can carry; OpenBao creates none like it.
Result<ipc::KeyTable> MakeKeyTable(const contract::RegistryState& state, std::uint64_t generation);

// Returns the keys of a registry that MakeKeyTable() accepted, once the workers have the table.
PublishedKeys ShowKeys(const contract::RegistryState& state, std::uint64_t generation);

// Returns the fields that matter for decisions. IPC carries no flag that nothing depends on.
contract::TransitKeyMetadata ToMetadata(const ipc::MetadataAnswer& answer);

// Returns whether both are good reads that agree on the key and the upsert policy. The order of the
// versions does not matter.
bool SaySame(const ipc::MetadataAnswer& a, const ipc::MetadataAnswer& b);

}  // namespace baokms::supervisor
