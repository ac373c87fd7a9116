#include "supervisor/etcd/stored_value.h"

#include <array>
#include <climits>
#include <cstddef>
#include <utility>

#include "common/contract/limits.h"
#include "proto/encrypted_object.pb.h"

namespace baokms::supervisor {
namespace {

constexpr std::string_view kEncrypted = "k8s:enc:";
constexpr std::string_view kLineageKey = "transit-key-hash.kms.openbao.org";
constexpr std::string_view kVersionKey = "transit-key-version.kms.openbao.org";

// What stands between "k8s:enc:" and the name.
constexpr std::array<std::pair<std::string_view, std::string_view>, 5> kKinds = {{
    {"kms:v2:", "kms-v2"},
    {"kms:v1:", "kms-v1"},
    {"aescbc:v1:", "aescbc"},
    {"aesgcm:v1:", "aesgcm"},
    {"secretbox:v1:", "secretbox"},
}};

// Returns the text if its length is permitted, otherwise an empty one.
std::string Bounded(std::string_view text) {
  return std::string(text.size() <= contract::kMaxKeyIdRequestBytes ? text : std::string_view());
}

void ReadObject(std::string_view bytes, StoredValue& stored) {
  storedkms::EncryptedObject object;
  if (bytes.size() > INT_MAX ||
      !object.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) {
    return;
  }
  stored.key_id = Bounded(object.key_id());
  for (const storedkms::StoredAnnotation& annotation : object.annotations()) {
    if (annotation.key() == kLineageKey) {
      stored.lineage_hash = Bounded(annotation.value());
    } else if (annotation.key() == kVersionKey) {
      stored.transit_version = Bounded(annotation.value());
    }
  }
}

}  // namespace

StoredValue ReadStoredValue(std::string_view value) {
  StoredValue stored;
  if (!value.starts_with(kEncrypted)) {
    stored.encryption = "none";
    return stored;
  }
  value.remove_prefix(kEncrypted.size());
  for (const auto& [prefix, encryption] : kKinds) {
    const std::size_t colon =
        value.starts_with(prefix) ? value.find(':', prefix.size()) : std::string_view::npos;
    if (colon == std::string_view::npos) {
      continue;
    }
    stored.encryption = encryption;
    stored.provider = Bounded(value.substr(prefix.size(), colon - prefix.size()));
    if (encryption == "kms-v2") {
      ReadObject(value.substr(colon + 1), stored);
    }
    return stored;
  }
  stored.encryption = "unknown";
  return stored;
}

}  // namespace baokms::supervisor
