// One log record as one line, without its newline: JSON or key=value text. Pure functions.

#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

#include "common/base/log.h"

namespace baokms::supervisor {

// Who wrote the record.
struct RecordSource {
  std::string_view process;
  std::int64_t pid = 0;
};

using RecordTime = std::chrono::sys_time<std::chrono::microseconds>;

// "2026-01-31T23:59:59.000001Z" (RFC 3339)
[[nodiscard]] std::string RecordTimeText(RecordTime time);

// "INFO"
[[nodiscard]] std::string_view LevelWord(LogLevel level);

// {"ts":"2026-01-31T23:59:59.000001Z","level":"INFO","message":"kms.request","process":"supervisor",
// "pid":1, and the fields in order}. Floats are rounded to three digits; bytes that are not UTF-8
// are replaced.
[[nodiscard]] std::string RecordToJson(const LogRecord& record,
                                       const RecordSource& source,
                                       RecordTime time);

// ts=... level=INFO message=kms.request ... with quotes around what is not a plain word.
[[nodiscard]] std::string RecordToText(const LogRecord& record,
                                       const RecordSource& source,
                                       RecordTime time);

}  // namespace baokms::supervisor
