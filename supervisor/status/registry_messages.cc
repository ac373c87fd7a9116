#include "supervisor/status/registry_messages.h"

#include <algorithm>
#include <string>
#include <utility>

#include "ipc/key_versions.h"
#include "ipc/limits.h"

namespace baokms::supervisor {
namespace {

bool IsGoodRead(const ipc::MetadataAnswer& answer) {
  return answer.outcome() == ipc::OUTCOME_OK && answer.upsert_outcome() == ipc::OUTCOME_OK;
}

}  // namespace

Result<ipc::KeyTable> MakeKeyTable(const contract::RegistryState& state, std::uint64_t generation) {
  ipc::KeyTable table;
  table.set_generation(generation);
  table.set_active_key_id(std::string(state.active().key_id.text()));
  for (const contract::KeyRecord& record : state.contents().records) {
    if (!contract::Decrypts(record.state)) {
      continue;
    }
    if (record.version.created_at_unix > ipc::kMaxCreatedUnix ||
        !ipc::AppendVersion(record.version.number, record.version.created_at_unix,
                            *table.mutable_versions())) {
      return Error(ErrorCode::kResourceExhausted, "key version or creation time is too large");
    }
  }
  return table;
}

PublishedKeys ShowKeys(const contract::RegistryState& state, std::uint64_t generation) {
  PublishedKeys shown;
  shown.table_generation = generation;
  shown.active_key_id = std::string(state.active().key_id.text());
  shown.active_version = static_cast<std::uint32_t>(state.active().version.number);
  for (const contract::KeyRecord& record : state.contents().records) {
    if (contract::Decrypts(record.state)) {
      shown.decryptable.emplace(
          std::string(record.key_id.text()),
          DecryptableKey{.version = static_cast<std::uint32_t>(record.version.number),
                         .created_unix = record.version.created_at_unix});
    }
  }
  return shown;
}

contract::TransitKeyMetadata ToMetadata(const ipc::MetadataAnswer& answer) {
  contract::TransitKeyMetadata metadata;
  metadata.type = answer.type();
  metadata.latest_version = answer.latest_version();
  metadata.min_available_version = answer.min_available_version();
  metadata.min_encryption_version = answer.min_encryption_version();
  metadata.min_decryption_version = answer.min_decryption_version();
  const ipc::KeyVersions& versions = answer.versions();
  for (int i = 0; i < versions.version_size(); ++i) {
    metadata.versions.push_back(
        {.number = versions.version(i), .created_at_unix = versions.created_unix(i)});
  }
  std::ranges::sort(metadata.versions, {}, [](const contract::KeyVersion& version) {
    return std::pair(version.number, version.created_at_unix);
  });
  metadata.derived = answer.derived();
  metadata.convergent_encryption = answer.convergent_encryption();
  metadata.exportable = answer.exportable();
  metadata.allow_plaintext_backup = answer.allow_plaintext_backup();
  metadata.deletion_allowed = answer.deletion_allowed();
  metadata.soft_deleted = answer.soft_deleted();
  metadata.supports_encryption = answer.supports_encryption();
  metadata.supports_decryption = answer.supports_decryption();
  return metadata;
}

bool SaySame(const ipc::MetadataAnswer& a, const ipc::MetadataAnswer& b) {
  return IsGoodRead(a) && IsGoodRead(b) && a.disable_upsert() == b.disable_upsert() &&
         ToMetadata(a) == ToMetadata(b);
}

}  // namespace baokms::supervisor
