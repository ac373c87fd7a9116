// A worker's metadata answer in the terms of docs/contract.md#key-profile, and whether two workers
// saw the same thing.

#pragma once

#include "common/contract/key_profile.h"
#include "proto/ipc.pb.h"

namespace baokms::supervisor {

// The fields that decide; flags that IPC does not carry are those that nobody judges.
contract::TransitKeyMetadata ToMetadata(const ipc::MetadataAnswer& answer);

// Both are good reads and say the same about key and upsert policy. The order of the versions does
// not matter.
bool SaySame(const ipc::MetadataAnswer& a, const ipc::MetadataAnswer& b);

}  // namespace baokms::supervisor
