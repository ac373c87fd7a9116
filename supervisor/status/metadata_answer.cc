#include "supervisor/status/metadata_answer.h"

#include <algorithm>

namespace baokms::supervisor {
namespace {

bool IsGoodRead(const ipc::MetadataAnswer& answer) {
  return answer.outcome() == ipc::OUTCOME_OK && answer.upsert_outcome() == ipc::OUTCOME_OK;
}

}  // namespace

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
