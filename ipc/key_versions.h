// The lists of key versions in messages, written and read in one place, so that both ends of a
// channel hold the same numbers possible.

#pragma once

#include <cstddef>
#include <cstdint>

#include "common/base/result.h"
#include "proto/ipc.pb.h"

namespace baokms::ipc {

// Appends one version. A creation time that is no time (negative, or above kMaxCreatedUnix) becomes
// 0, which nobody accepts as one. False, and nothing appended: `version` is not between 1 and
// kMaxVersionNumber.
[[nodiscard]] bool AppendVersion(std::int64_t version,
                                 std::int64_t created_unix,
                                 KeyVersions& list);

[[nodiscard]] std::size_t CountVersions(const KeyVersions& list);

// kProtocolViolation: more than kMaxKeyVersions, a version without a creation time beside it, or a
// number that AppendVersion() does not write.
Status CheckForm(const KeyVersions& list);

}  // namespace baokms::ipc
