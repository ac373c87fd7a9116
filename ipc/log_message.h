// Converts a child's log records into messages for the supervisor, which writes all records as one
// stream.

#pragma once

#include <functional>
#include <utility>

#include "common/base/log.h"
#include "proto/ipc.pb.h"

namespace baokms::ipc {

// Converts a record, truncated to the limits of ipc/limits.h: fields beyond kMaxLogFields are
// omitted, texts end at kMaxLogText bytes, and every byte that is not printable ASCII becomes '?'.
LogRecord ToMessage(const baokms::LogRecord& record);

// Sends records at level `lowest` and above, and drops those that cannot be sent. `send` must be
// callable from any thread that logs.
class UpwardLog final : public LogSink {
 public:
  using Send = std::function<void(const LogRecord&)>;

  UpwardLog(LogLevel lowest, Send send) : lowest_(lowest), send_(std::move(send)) {}

  void Write(const baokms::LogRecord& record) override;

  [[nodiscard]] bool Enabled(LogLevel level) const override { return level >= lowest_; }

  // Takes effect from the next record on. Call it on the thread that logs.
  void SetLowest(LogLevel lowest) { lowest_ = lowest; }

 private:
  LogLevel lowest_;
  Send send_;
};

}  // namespace baokms::ipc
