// Who encrypted a value that kube-apiserver stored in etcd, and with which key. Pure; it looks at
// names and identifiers only, never at data.

#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <tuple>

namespace baokms::supervisor {

struct StoredValue {
  // "none", "kms-v2", "kms-v1", "aescbc", "aesgcm", "secretbox", or "unknown" for a prefix of
  // another kind.
  std::string encryption;
  // The provider's or local key's name; empty for "none" and "unknown".
  std::string provider;
  // From here on "kms-v2" only. Empty key_id: what is stored behind the prefix can not be read.
  std::string key_id;
  // Annotations of this program or the Go one; empty when they are not there.
  std::string lineage_hash;
  std::string transit_version;

  friend bool operator==(const StoredValue&, const StoredValue&) = default;

  friend bool operator<(const StoredValue& a, const StoredValue& b) {
    return std::tie(a.encryption, a.provider, a.key_id, a.lineage_hash, a.transit_version) <
           std::tie(b.encryption, b.provider, b.key_id, b.lineage_hash, b.transit_version);
  }
};

// Every text of the answer is at most a KMS request's key_id long; longer ones are not taken over.
StoredValue ReadStoredValue(std::string_view value);

}  // namespace baokms::supervisor
