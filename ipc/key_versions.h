// Writes and checks the lists of key versions in messages, so that both ends of a channel apply the
// same limits. A MetadataAnswer with more versions than one datagram holds is split in the worker
// and joined in the supervisor.

#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "common/base/result.h"
#include "proto/ipc.pb.h"

namespace baokms::ipc {

// Appends one version. An invalid creation time (negative, or above kMaxCreatedUnix) is written as
// 0, which no receiver accepts as a time. Returns false and appends nothing when `version` is not
// between 1 and kMaxVersionNumber.
[[nodiscard]] bool AppendVersion(std::int64_t version,
                                 std::int64_t created_unix,
                                 KeyVersions& list);

[[nodiscard]] std::size_t CountVersions(const KeyVersions& list);

// Fails with kProtocolViolation for more than kMaxKeyVersions versions, a version without a
// matching creation time, or a number that AppendVersion() does not write.
Status CheckForm(const KeyVersions& list);

// Returns the datagrams of `answer`, which must be sent in this order without any other message in
// between: full parts with `more_versions`, then the answer with the remaining versions.
std::vector<MetadataAnswer> SplitMetadata(MetadataAnswer answer);

// Collects the parts of one worker's answer.
class MetadataParts final {
 public:
  enum class Progress : std::uint8_t { kMoreToCome, kComplete };

  // Adds the next datagram, whose form has been checked. When the result is kComplete, `answer` is
  // complete. Fails with kProtocolViolation when the id changes, a part is not full, or there are
  // more than kMaxMetadataVersions.
  Result<Progress> Join(MetadataAnswer& answer);

 private:
  MetadataAnswer gathered_;  // without versions: no answer has begun
};

}  // namespace baokms::ipc
