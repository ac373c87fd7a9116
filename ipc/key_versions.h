// Writes and checks the lists of key versions in messages, so that both ends of a channel apply the
// same limits.

#pragma once

#include <cstddef>
#include <cstdint>

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

}  // namespace baokms::ipc
