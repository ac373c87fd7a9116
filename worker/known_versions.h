// The key versions that exist and their creation times, from metadata that this worker itself read
// from OpenBao. No input of the supervisor is stored here.

#pragma once

#include <cstdint>
#include <map>

#include "common/contract/key_id.h"
#include "common/contract/key_profile.h"

namespace baokms::worker {

class KnownVersions final {
 public:
  // Replaces all versions with those just read. Metadata with invalid version numbers or creation
  // times is ignored, and the known versions stay.
  void Remember(const contract::TransitKeyMetadata& metadata);

  enum class Answer : std::uint8_t {
    kConfirmed,
    kRefuted,  // the version does not exist (any more), or has another creation second
    kUnknown,  // nothing was read, or nothing since this version may have been created
  };

  [[nodiscard]] Answer Confirm(contract::KeyVersion version) const;

 private:
  std::map<std::int64_t, std::int64_t> created_at_;  // version to Unix seconds
  std::int64_t latest_ = 0;
};

}  // namespace baokms::worker
