// Which key versions exist and since when, from metadata that this worker read from OpenBao itself.
// Nothing the supervisor says comes in here.

#pragma once

#include <cstdint>
#include <map>

#include "common/contract/key_id.h"
#include "common/contract/key_profile.h"

namespace baokms::worker {

class KnownVersions final {
 public:
  // Replaces everything by what was just read. Metadata with nonsensical version numbers or
  // creation times is not believed: what was known before stays.
  void Remember(const contract::TransitKeyMetadata& metadata);

  enum class Answer : std::uint8_t {
    kConfirmed,
    kRefuted,  // the version does not exist (any more), or was created in another second
    kUnknown,  // nothing was read yet, or nothing since this version can have been made
  };

  [[nodiscard]] Answer Confirm(contract::KeyVersion version) const;

 private:
  std::map<std::int64_t, std::int64_t> created_at_;  // version to Unix seconds
  std::int64_t latest_ = 0;
};

}  // namespace baokms::worker
