// Formats one log record as one line without its newline: as JSON or as key=value text. Pure
// functions.

#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

#include "common/base/log.h"

namespace baokms::supervisor {

// The process that wrote the record.
struct RecordSource {
  std::string_view process;
  std::int64_t pid = 0;
};

using RecordTime = std::chrono::sys_time<std::chrono::microseconds>;

// Returns for example "2026-01-31T23:59:59.000001Z" (RFC 3339).
[[nodiscard]] std::string RecordTimeText(RecordTime time);

// Returns for example "INFO".
[[nodiscard]] std::string_view LevelWord(LogLevel level);

// Returns {"ts":"2026-01-31T23:59:59.000001Z","level":"INFO","message":"kms.request",
// "process":"supervisor","pid":1, and the fields in order}. Floats are rounded to three decimal
// places; bytes that are not UTF-8 are replaced.
[[nodiscard]] std::string RecordToJson(const LogRecord& record,
                                       const RecordSource& source,
                                       RecordTime time);

// Returns ts=... level=INFO message=kms.request ... with quotes around values that are not plain
// words.
[[nodiscard]] std::string RecordToText(const LogRecord& record,
                                       const RecordSource& source,
                                       RecordTime time);

}  // namespace baokms::supervisor
