// One key version with all values derived from it for annotations and AAD. It is created once per
// key, so that requests compute no hash twice.

#pragma once

#include <cstdint>
#include <string>

#include "common/base/result.h"
#include "common/contract/identity.h"
#include "common/contract/key_id.h"

namespace baokms::contract {

struct KeyBinding {
  KeyId key_id;
  std::int64_t transit_version;
  std::string provider_name;  // raw, as the AAD carries it
  std::string key_id_hash;    // this and all members below: H() of the value, 43 characters
  std::string cluster_hash;
  std::string instance_hash;
  std::string namespace_hash;  // empty when there is no namespace
  std::string mount_hash;      // of the transit mount id, not of the path
  std::string lineage_hash;
};

// Derives the key_id and the hashes. Fails when DeriveKeyId() fails.
Result<KeyBinding> BindKey(const KeyIdentity& identity, KeyVersion version);

}  // namespace baokms::contract
