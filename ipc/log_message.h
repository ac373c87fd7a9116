// Log records of a child on their way to the supervisor, which writes all of them as one stream.

#pragma once

#include <functional>
#include <utility>

#include "common/base/log.h"
#include "proto/ipc.pb.h"

namespace baokms::ipc {

// The record as a message, cut to what ipc/limits.h allows: fields beyond kMaxLogFields are left
// out, texts end at kMaxLogText bytes, and every byte that is not printable ASCII becomes '?'.
LogRecord ToMessage(const baokms::LogRecord& record);

// Sends records at `lowest` and above; drops what can not be sent. `send` must be callable from any
// thread that logs.
class UpwardLog final : public LogSink {
 public:
  using Send = std::function<void(const LogRecord&)>;

  UpwardLog(LogLevel lowest, Send send) : lowest_(lowest), send_(std::move(send)) {}

  void Write(const baokms::LogRecord& record) override;

  [[nodiscard]] bool Enabled(LogLevel level) const override { return level >= lowest_; }

  // Holds from the next record on; to be called on the thread that logs.
  void SetLowest(LogLevel lowest) { lowest_ = lowest; }

 private:
  LogLevel lowest_;
  Send send_;
};

}  // namespace baokms::ipc
