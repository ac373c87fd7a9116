// The log of all processes, on stderr or in the journal behind it: the supervisor's own records,
// and records of children with the process that they came from. It decides about level, format and
// rate.

#pragma once

#include <unistd.h>

#include <atomic>
#include <cstdint>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>

#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/base/result.h"
#include "proto/ipc.pb.h"
#include "supervisor/observe/child_records.h"
#include "supervisor/observe/debug_correlation.h"
#include "supervisor/observe/journal.h"
#include "supervisor/observe/log_format.h"
#include "supervisor/observe/log_writer.h"
#include "supervisor/observe/record_rate.h"
#include "supervisor/observe/record_text.h"

namespace baokms::supervisor {

class LogStream final : public LogSink, public ChildLog {
 public:
  // Writes to `journal`, or to `descriptor` if there is no journal or it does not accept the entry
  // now. Neither can block a caller once StartThread() was called
  // (supervisor/observe/log_writer.h).
  LogStream(LogFormat format, LogLevel level, Journal journal = {}, int descriptor = STDERR_FILENO);

  LogStream(const LogStream&) = delete;
  LogStream& operator=(const LogStream&) = delete;
  // Waits for the reader, at most LogWriter::kPatienceAtEnd.
  ~LogStream() override = default;

  // Starts the thread that writes from then on. Must be called once, when the process may have a
  // second thread.
  Status StartThread() { return writer_.StartThread(); }

  // Writes a record of the supervisor: ts, level, message, then the fields in order. Records about
  // KMS calls above level debug are limited to kCallRecords.
  void Write(const LogRecord& record) override;

  [[nodiscard]] bool Enabled(LogLevel level) const override {
    return level >= level_.load(std::memory_order_relaxed);
  }

  [[nodiscard]] bool Correlates() const override {
    return correlation_ && correlation_->Active(BootNow());
  }

  // Writes one plain line that explains why `serve` does not start.
  void WriteLine(std::string_view line) { writer_.Put(std::string(line) + "\n"); }

  // Waits until everything is written, at most `patience`.
  void Flush(BootTime patience) { writer_.Flush(patience); }

  // Returns the number of records that were not written, by process: those of a child that exceeded
  // its rate or were malformed, and for "supervisor" those about KMS calls over their rate and
  // those of any process for which the queue had no room.
  [[nodiscard]] std::map<std::string, std::uint64_t> Dropped() const;

  // Turns incident mode on and logs it. Must be called before any other thread writes.
  void Correlate(DebugCorrelation correlation);

  // Adds `process` and `pid`, which no field of the record can replace.
  void WriteChild(std::string_view process,
                  std::int64_t pid,
                  const ipc::LogRecord& record) override;
  void WriteCausedBy(std::string_view process, const LogRecord& record) override;

  // Applies from the next record on. Callable from any thread.
  void SetLevel(LogLevel level) { level_.store(level, std::memory_order_relaxed); }

 private:
  // Returns whether one more record of this group may be written; counts and reports those that may
  // not.
  bool MayPass(RecordRate& rate,
               std::string_view group,
               RecordRate::Form form,
               const RecordSource& source);
  void Put(const LogRecord& record, const RecordSource& source);

  [[nodiscard]] RecordSource Self() const { return {.process = "supervisor", .pid = pid_}; }

  const LogFormat format_;
  const std::int64_t pid_ = ::getpid();
  std::atomic<LogLevel> level_;
  const Journal journal_;
  mutable std::mutex mutex_;
  RecordRate child_rate_{kChildRecords};  // guarded by mutex_, like the next one
  RecordRate call_rate_{kCallRecords};
  std::optional<DebugCorrelation> correlation_;
  LogWriter writer_;
};

}  // namespace baokms::supervisor
