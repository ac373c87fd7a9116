// One key version with all values derived from it for annotations and AAD. It is created once per
// key, so that requests compute no hash twice.
//
// The additional authenticated data (AAD) binds a ciphertext to its key, cluster and purpose. It is
// mandatory, and no part of it comes from a request.

#pragma once

#include <cstdint>
#include <string>
#include <string_view>

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

// The background probe authenticates this text instead, so its ciphertexts can never be mistaken
// for data of the cluster.
inline constexpr std::string_view kStatusProbeAad = "openbao-kubernetes-kms/status-probe/v1";

// Base64 of kStatusProbeAad, as Transit requires it.
inline constexpr std::string_view kStatusProbeAssociatedData =
    "b3BlbmJhby1rdWJlcm5ldGVzLWttcy9zdGF0dXMtcHJvYmUvdjE=";

// Returns the canonical bytes of the AAD: compact Go JSON in the order of the contract.
std::string CanonicalAad(const KeyBinding& key);

// Returns base64 of the canonical bytes: Transit's `associated_data`.
std::string AssociatedData(const KeyBinding& key);

}  // namespace baokms::contract
