// The one stream of log records, on stderr or in the journal behind it: the supervisor's own and,
// with the process they came from, those of children. It writes what it is given and decides about
// level, form and rate.

#pragma once

#include <cstdint>
#include <memory>
#include <string_view>

#include "common/base/log.h"
#include "common/base/result.h"
#include "proto/ipc.pb.h"
#include "supervisor/observe/child_records.h"
#include "supervisor/observe/debug_correlation.h"
#include "supervisor/observe/journal.h"
#include "supervisor/observe/log_format.h"

namespace baokms::supervisor {

class LogStream final : public LogSink, public ChildLog {
 public:
  // Writes to `journal`, or to descriptor 2 when there is none or it takes no entry. Fails when the
  // stream cannot be set up.
  static Result<std::unique_ptr<LogStream>> Create(LogFormat format,
                                                   LogLevel level,
                                                   Journal journal = {});

  LogStream(const LogStream&) = delete;
  LogStream& operator=(const LogStream&) = delete;
  ~LogStream() override;

  // A record of the supervisor: ts, level, message, the fields in order.
  void Write(const LogRecord& record) override;
  [[nodiscard]] bool Enabled(LogLevel level) const override;
  [[nodiscard]] bool Correlates() const override;

  // Turns incident mode on, and says so in a record. Before any other thread writes.
  void Correlate(DebugCorrelation correlation);

  // Adds `process` and `pid`, which no field of the record can replace.
  void WriteChild(std::string_view process,
                  std::int64_t pid,
                  const ipc::LogRecord& record) override;
  void WriteCausedBy(std::string_view process, const LogRecord& record) override;

  // Holds from the next record on. Callable from any thread.
  void SetLevel(LogLevel level);

 private:
  struct Impl;

  explicit LogStream(std::unique_ptr<Impl> impl);

  std::unique_ptr<Impl> impl_;
};

}  // namespace baokms::supervisor
