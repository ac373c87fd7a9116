// Log records of children, which may be compromised: validates and bounds them, so that a child
// cannot forge the stream's own members.

#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "common/base/log.h"
#include "ipc/limits.h"
#include "proto/ipc.pb.h"

namespace baokms::supervisor {

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

}  // namespace baokms::supervisor
