// The state files that the other implementation wrote, and the identity they belong to, with the
// real fingerprint of that identity in place of the placeholder.

#pragma once

#include <cstdint>
#include <fstream>
#include <iterator>
#include <string>
#include <utility>

#include "common/contract/identity.h"
#include "common/contract/registry.h"
#include "common/contract/registry_json.h"
#include "gtest/gtest.h"
#include "tests/base/test_data.h"

namespace baokms::supervisor {

inline contract::ConfigIdentity FixtureIdentity() {
  return {.key = {.provider_name = "openbao-kms-workload-a",
                  .cluster_id = "workload-a",
                  .instance_id = "bao-prod-a",
                  .namespace_path = "",
                  .transit_mount_id = "transit-prod-primary",
                  .key_lineage_id = "01HXEXAMPLEKEYLINEAGEID"},
          .transit_mount_path = "transit",
          .transit_key_name = "k8s-workload-a-etcd"};
}

inline std::string ReadFixture(const std::string& name) {
  std::ifstream file(TestDataPath("fixtures/" + name), std::ios::binary);
  EXPECT_TRUE(file.good()) << name;
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

inline contract::RegistryState FixtureState(const std::string& name) {
  return contract::ParseState(ReadFixture(name)).value();
}

inline constexpr std::int64_t kCreatedV1 = 1'700'000'060;
inline constexpr std::int64_t kObserved = 1'700'001'000;

inline contract::KeyVersion MakeVersion(std::int64_t number) {
  return {.number = number, .created_at_unix = kCreatedV1 + (number - 1) * 60};
}

inline contract::KeyRecord MakeRecord(std::int64_t version, contract::RecordState state) {
  const auto identity = FixtureIdentity().key;
  const contract::KeyVersion key = MakeVersion(version);
  return {.identity = identity,
          .version = key,
          .key_id = contract::DeriveKeyId(identity, key).value(),
          .state = state,
          .observed_at_unix = kObserved};
}

// Generation 1 with version 1 active.
inline contract::RegistryState FirstState() {
  const auto record = MakeRecord(1, contract::RecordState::kActive);
  return contract::RegistryState::Create(
             {.identity_fingerprint = contract::Fingerprint(FixtureIdentity()).value(),
              .generation = 1,
              .previous_hash = {},
              .active_key_id = record.key_id,
              .records = {record}})
      .value();
}

// The generation after `from`, which has one more record: `version`, pending.
inline contract::RegistryState WithPending(const contract::RegistryState& from,
                                           std::int64_t version) {
  contract::RegistryContents next = from.contents();
  next.generation += 1;
  next.previous_hash = from.current_hash();
  next.records.push_back(MakeRecord(version, contract::RecordState::kPending));
  return contract::RegistryState::Create(std::move(next)).value();
}

}  // namespace baokms::supervisor
