// Log records of children, which may be compromised: validates and bounds them and limits their
// rate, so that a child can neither forge the stream's own members nor flood the log.

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
#include "ipc/limits.h"
#include "proto/ipc.pb.h"

namespace baokms::supervisor {

// Rate of each process's records: how many pass at once after a quiet time, and how many per second
// afterwards. A worker at level debug writes one or two for each request.
inline constexpr double kRecordBurst = 400;
inline constexpr double kRecordsPerSecond = 100;

// A child that logs too much loses records before its channel refuses them, which would kill it.
static_assert(kRecordBurst < ipc::kLogRecords.burst &&
              kRecordsPerSecond <= ipc::kLogRecords.per_second);

// Converts a child's message into a record. Returns nothing if no child logs such an event or the
// level is invalid, so that a child cannot write what others take for an event of the supervisor.
// Fields that no child writes, a second field of a name, and numbers that are none are omitted;
// texts are truncated to ipc::kMaxLogText bytes and made printable.
[[nodiscard]] std::optional<LogRecord> ReadChildRecord(const ipc::LogRecord& message);

// Receives the log lines that a child causes. Each carries the name of the child, and both kinds
// count towards the child's rate, so that no child can flood the log: records over the rate are
// dropped and counted.
class ChildLog {
 public:
  virtual ~ChildLog() = default;

  // Writes a record that the child itself sent, which may be compromised; see ReadChildRecord().
  virtual void WriteChild(std::string_view process,
                          std::int64_t pid,
                          const ipc::LogRecord& record) = 0;

  // Writes a record of the supervisor about what a child reported; it names the child itself.
  virtual void WriteCausedBy(std::string_view process, const LogRecord& record) = 0;

 protected:
  ChildLog() = default;
  ChildLog(const ChildLog&) = default;
  ChildLog& operator=(const ChildLog&) = default;
};

// Not thread-safe.
class ChildRate final {
 public:
  // What to do with one more record of `process`, which is one of the supervisor's own fixed names.
  struct Decision {
    bool pass = false;
    std::uint64_t tell_dropped = 0;  // not 0: report now that this many records were dropped
  };

  // A malformed record never passes.
  enum class Form : std::uint8_t { kGood, kMalformed };

  Decision Count(std::string_view process, Form form, BootTime now);

  // Returns how many records of each process did not pass.
  [[nodiscard]] std::map<std::string, std::uint64_t> Dropped() const;

 private:
  struct Bucket {
    TokenBucket rate{kRecordBurst, kRecordsPerSecond};
    std::uint64_t dropped = 0;
    std::uint64_t told = 0;  // how many of them were reported
    BootTime told_at{};
  };

  std::map<std::string, Bucket, std::less<>> buckets_;
};

}  // namespace baokms::supervisor
