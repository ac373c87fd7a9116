// The published vectors and the identity that most of them are made with. For tests of the contract
// only.

#pragma once

#include <array>
#include <cstddef>
#include <fstream>
#include <functional>
#include <span>
#include <sstream>
#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json.hpp>

#include "common/contract/annotations.h"
#include "common/contract/identity.h"
#include "common/contract/key_binding.h"
#include "common/contract/key_id.h"
#include "common/contract/registry.h"
#include "tests/base/test_data.h"

namespace baokms::contract::vectors {

using Json = nlohmann::ordered_json;

// State files of the schema before this one.
inline constexpr std::array<std::string_view, 3> kOlderStates = {
    "keyregistry/state-initial-v1.json", "keyregistry/state-rotated-v1-v2.json",
    "keyregistry/state-removed-v1-active-v2.json"};

// The bytes of tests/fixtures/<path>. Empty when the file is missing, which no vector is.
inline std::string ReadFixture(std::string_view path) {
  std::ifstream file(TestDataPath("fixtures/").append(path), std::ios::binary);
  std::ostringstream bytes;
  bytes << file.rdbuf();
  return bytes.str();
}

inline Json ReadJson(std::string_view path) {
  return Json::parse(ReadFixture(path));
}

inline KeyIdentity GoldenIdentity() {
  return {.provider_name = "openbao-kms-workload-a",
          .cluster_id = "workload-a",
          .instance_id = "bao-prod-a",
          .namespace_path = "",
          .transit_mount_id = "transit-prod-primary",
          .key_lineage_id = "01HXEXAMPLEKEYLINEAGEID"};
}

inline KeyIdentity NamespacedIdentity() {
  KeyIdentity identity = GoldenIdentity();
  identity.namespace_path = "admin/workload-a";
  return identity;
}

inline ConfigIdentity GoldenConfig() {
  return {.key = GoldenIdentity(),
          .transit_mount_path = "transit",
          .transit_key_name = "k8s-workload-a-etcd"};
}

inline constexpr KeyVersion kGoldenVersion{.number = 3, .created_at_unix = 1715803200};
inline constexpr KeyVersion kFirstVersion{.number = 1, .created_at_unix = 1700000060};
inline constexpr KeyVersion kSecondVersion{.number = 2, .created_at_unix = 1700000120};

// The identity members as the fixtures spell them.
inline KeyIdentity IdentityOf(const Json& snapshot) {
  return {.provider_name = snapshot.at("providerName"),
          .cluster_id = snapshot.at("clusterId"),
          .instance_id = snapshot.at("openbaoInstanceId"),
          .namespace_path = snapshot.value("openbaoNamespace", ""),
          .transit_mount_id = snapshot.at("transitMountId"),
          .key_lineage_id = snapshot.at("transitKeyLineageId")};
}

inline KeyVersion VersionOf(const Json& snapshot) {
  return {.number = snapshot.at("transitVersion"),
          .created_at_unix = snapshot.at("transitVersionCreatedAtUnix")};
}

inline std::vector<AnnotationView> ViewsOf(std::span<const Annotation> annotations) {
  std::vector<AnnotationView> views;
  for (const Annotation& annotation : annotations) {
    views.push_back({annotation.key, annotation.value});
  }
  return views;
}

inline KeyRecord MakeRecord(KeyVersion version, RecordState state) {
  return {.identity = GoldenIdentity(),
          .version = version,
          .key_id = DeriveKeyId(GoldenIdentity(), version).value(),
          .state = state,
          .observed_at_unix = 1700000000,
          .promoted_at_unix = state == RecordState::kPending ? 0 : 1700000000};
}

// Calls `check` with every text that differs from `text` in one bit.
inline void ForEachBitFlip(std::string text,
                           const std::function<void(std::string_view, std::size_t)>& check) {
  for (std::size_t bit = 0; bit < 8 * text.size(); ++bit) {
    const auto mask = static_cast<char>(1U << (bit % 8));
    text[bit / 8] = static_cast<char>(text[bit / 8] ^ mask);
    check(text, bit);
    text[bit / 8] = static_cast<char>(text[bit / 8] ^ mask);
  }
}

// Calls `check` with every proper prefix of `text`.
inline void ForEachTruncation(std::string_view text,
                              const std::function<void(std::string_view)>& check) {
  for (std::size_t size = 0; size < text.size(); ++size) {
    check(text.substr(0, size));
  }
}

}  // namespace baokms::contract::vectors
