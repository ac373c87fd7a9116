#include "worker/known_versions.h"

namespace baokms::worker {

void KnownVersions::Remember(const contract::TransitKeyMetadata& metadata) {
  if (!contract::CheckVersionBounds(metadata) || !contract::CheckVersionEntries(metadata)) {
    return;
  }
  created_at_.clear();
  for (const contract::KeyVersion& version : metadata.versions) {
    created_at_.emplace(version.number, version.created_at_unix);
  }
  latest_ = metadata.latest_version;
}

KnownVersions::Answer KnownVersions::Confirm(contract::KeyVersion version) const {
  if (version.number > latest_) {
    return Answer::kUnknown;
  }
  const auto found = created_at_.find(version.number);
  return found != created_at_.end() && found->second == version.created_at_unix ? Answer::kConfirmed
                                                                                : Answer::kRefuted;
}

}  // namespace baokms::worker
