// Records of children, which may be taken over: checks and bounds them, and limits their rate, so
// that a child can neither forge the stream's own members nor flood it.

#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/base/token_bucket.h"
#include "proto/ipc.pb.h"

namespace baokms::supervisor {

// Records of one process that pass at once after a quiet time, and how many a second pass after
// that. A worker at level debug writes one or two for each request.
inline constexpr double kRecordBurst = 400;
inline constexpr double kRecordsPerSecond = 100;

// Turns a child's message into a record. Nothing when the event is not a plain word of at most 64
// characters or the level is none. Fields with such names, or with the names of the stream's own
// members, are left out; texts are cut at ipc::kMaxLogText bytes and made printable; numbers of
// known fields become numbers again.
[[nodiscard]] std::optional<LogRecord> ReadChildRecord(const ipc::LogRecord& message);

// Where lines go that a child causes. Each carries the name of the child, and both kinds share the
// child's rate, so that no child can flood the log: what is over the rate is dropped and counted.
class ChildLog {
 public:
  virtual ~ChildLog() = default;

  // A record of the child's own, which may be taken over: ReadChildRecord() says what is left of
  // it.
  virtual void WriteChild(std::string_view process,
                          std::int64_t pid,
                          const ipc::LogRecord& record) = 0;

  // A record of the supervisor's about what a child reported; it names the child itself.
  virtual void WriteCausedBy(std::string_view process, const LogRecord& record) = 0;

 protected:
  ChildLog() = default;
  ChildLog(const ChildLog&) = default;
  ChildLog& operator=(const ChildLog&) = default;
};

// Not thread-safe.
class ChildRate final {
 public:
  // What to do with one more record of `process`, which is one of the supervisor's own few names.
  struct Verdict {
    bool pass = false;
    std::uint64_t tell_dropped = 0;  // not 0: say now that so many were dropped
  };

  // A malformed record never passes.
  enum class Form : std::uint8_t { kGood, kMalformed };

  Verdict Count(std::string_view process, Form form, BootTime now);

 private:
  struct Bucket {
    TokenBucket rate{kRecordBurst, kRecordsPerSecond};
    std::uint64_t dropped = 0;  // and not told yet
    BootTime told_at{};
  };

  std::map<std::string, Bucket, std::less<>> buckets_;
};

}  // namespace baokms::supervisor
