// Converts a worker's metadata answer into the terms of docs/contract.md#key-profile, and compares
// the answers of two workers.

#pragma once

#include "common/contract/key_profile.h"
#include "proto/ipc.pb.h"

namespace baokms::supervisor {

// Returns the fields that matter for decisions. IPC carries no flag that nothing depends on.
contract::TransitKeyMetadata ToMetadata(const ipc::MetadataAnswer& answer);

// Returns whether both are good reads that agree on the key and the upsert policy. The order of the
// versions does not matter.
bool SaySame(const ipc::MetadataAnswer& a, const ipc::MetadataAnswer& b);

}  // namespace baokms::supervisor
