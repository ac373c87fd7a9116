// Metadata of a good key, and registries, for tests of the rotation machine.

#pragma once

#include <chrono>
#include <cstdint>
#include <initializer_list>
#include <utility>

#include "common/contract/key_profile.h"
#include "common/contract/registry.h"
#include "gtest/gtest.h"
#include "supervisor/status/rotation_machine.h"
#include "tests/supervisor/registry/registry_fixture.h"

namespace baokms::supervisor {

// Versions 1 to `latest`, created when MakeVersion() says.
inline contract::TransitKeyMetadata Metadata(std::int64_t latest) {
  contract::TransitKeyMetadata metadata;
  metadata.type = "aes256-gcm96";
  metadata.latest_version = latest;
  metadata.min_decryption_version = 1;
  for (std::int64_t version = 1; version <= latest; ++version) {
    metadata.versions.push_back(MakeVersion(version));
  }
  metadata.derived = false;
  metadata.convergent_encryption = false;
  metadata.exportable = false;
  metadata.allow_plaintext_backup = false;
  metadata.deletion_allowed = false;
  metadata.soft_deleted = false;
  metadata.supports_encryption = true;
  metadata.supports_decryption = true;
  return metadata;
}

// A registry with these records in this order; exactly one must be active.
inline contract::RegistryState Registry(std::vector<contract::KeyRecord> records) {
  const auto active =
      std::ranges::find(records, contract::RecordState::kActive, &contract::KeyRecord::state);
  const contract::KeyId active_id = active->key_id;
  return contract::RegistryState::Create(
             {.identity_fingerprint = contract::Fingerprint(FixtureIdentity()).value(),
              .generation = 1,
              .previous_hash = {},
              .active_key_id = active_id,
              .records = std::move(records)})
      .value();
}

// "3p 2r 1a": version and first letter of the state, in file order.
inline std::string Shape(const contract::RegistryState& state) {
  std::string shape;
  for (const contract::KeyRecord& record : state.contents().records) {
    shape += (shape.empty() ? "" : " ") + std::to_string(record.version.number) +
             (record.state == contract::RecordState::kRemoved
                  ? "x"
                  : std::string(contract::ToString(record.state).substr(0, 1)));
  }
  return shape;
}

}  // namespace baokms::supervisor
