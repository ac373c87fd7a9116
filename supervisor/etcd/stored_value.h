// Determines who encrypted a value that kube-apiserver stored in etcd, and with which key. Pure
// functions that look at names and identifiers only, never at data.

#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <tuple>

namespace baokms::supervisor {

struct StoredValue {
  // "none", "kms-v2", "kms-v1", "aescbc", "aesgcm", "secretbox", or "unknown" for any other prefix.
  std::string encryption;
  // The name of the KMS provider or the local key; empty for "none" and "unknown".
  std::string provider;
  // From here on for "kms-v2" only. An empty key_id means that the data after the prefix cannot be
  // parsed.
  std::string key_id;
  // Annotations of this program or the Go provider; empty if they are missing.
  std::string lineage_hash;
  std::string transit_version;

  friend bool operator==(const StoredValue&, const StoredValue&) = default;

  friend bool operator<(const StoredValue& a, const StoredValue& b) {
    return std::tie(a.encryption, a.provider, a.key_id, a.lineage_hash, a.transit_version) <
           std::tie(b.encryption, b.provider, b.key_id, b.lineage_hash, b.transit_version);
  }
};

// Parses the prefix of a stored value. No text of the result is longer than a KMS request's key_id
// may be; longer ones are left empty.
StoredValue ReadStoredValue(std::string_view value);

}  // namespace baokms::supervisor
