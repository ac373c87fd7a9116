// A child's side of its channel to the supervisor: the event loop it turns, Hello, the descriptors
// and reports it introduces itself with, its log, and its end. The same for every child program.

#pragma once

#include <functional>
#include <memory>

#include <google/protobuf/message_lite.h>

#include "common/base/error.h"
#include "common/base/event_loop.h"
#include "common/base/heartbeat.h"
#include "common/base/log.h"
#include "common/base/result.h"
#include "common/base/unique_fd.h"
#include "ipc/child_descriptors.h"
#include "ipc/child_process.h"
#include "ipc/dispatch.h"
#include "ipc/link.h"
#include "ipc/log_message.h"
#include "ipc/message_type.h"
#include "proto/ipc.pb.h"

namespace baokms::ipc {

// Belongs to the loop's thread. Must outlive everything that was given its loop, log or table.
class ChildSession final {
 public:
  ChildSession(Role role, UniqueFd supervisor);
  ChildSession(const ChildSession&) = delete;
  ChildSession& operator=(const ChildSession&) = delete;
  ~ChildSession() = default;

  // Makes the loop, the channel on it and the heartbeat: after BeginChild(), which closes what a
  // program was not born with, and before the filter, which forbids new descriptors. Nothing is
  // received before Run(). Fails when the kernel has no room.
  Status Open(LogLevel lowest);

  // For as long as Open() has succeeded.
  [[nodiscard]] EventLoop& loop() { return *loop_; }

  // Sends records to the supervisor, which writes them. One that cannot be sent is lost: a
  // supervisor that is gone is noticed by reading.
  [[nodiscard]] LogSink& log() { return log_; }

  // What the supervisor may say besides HelloAnswer. To be filled before Run().
  [[nodiscard]] Dispatch& table() { return table_; }

  // Adds Tunables to the table; their log level is applied here, before `apply` gets the rest.
  void AcceptTunables(std::function<void(const Tunables&)> apply);

  // Sends a message or ends the process: a supervisor that is gone, or has not read for megabytes,
  // hears nobody.
  void Tell(MessageType type, const google::protobuf::MessageLite& message);

  // Sends Hello, the descriptors of the process's own /proc files and what confines it. An error
  // has to end the process, with ExitCodeAfter().
  Status Introduce(ProcFiles proc, const ConfinementReport& confinement);

  // Only the first of these, for a process that has nothing to show.
  Status SayHello();

  // Turns the loop; calls `greeted` once the supervisor has answered the Hello. Returns when the
  // supervisor is gone or broke the protocol, or after End().
  ExitCode Run(std::function<void()> greeted);

  // Makes Run() return `code`.
  void End(ExitCode code);

  // Says why this process cannot start, at any time before Run(). Best effort: it is the last thing
  // that the process does.
  void SendStartFailure(const Error& why) const;

 private:
  Status SendProc(ProcDescriptor::Kind kind, UniqueFd file);

  Role role_;
  UniqueFd supervisor_;  // until Open() gives it to the link
  int channel_;          // the same descriptor, for SendStartFailure()
  UpwardLog log_;
  std::unique_ptr<EventLoop> loop_;
  Dispatch table_;
  Phase phase_ = kPhaseHello;
  std::function<void()> greeted_;
  std::unique_ptr<Link> link_;
  std::unique_ptr<Heartbeat> heartbeat_;
  ExitCode end_ = ExitCode::kLoopFailed;
};

// The main() of a child program. `start` sets the process up and ends it itself when it has served;
// what it returns is why the process did not start, which is sent to the supervisor. Returns the
// exit code for that.
int RunChild(Role role, const std::function<Status(ChildSession&)>& start);

// Sends a StartFailure on `channel`; what cannot be sent is lost.
void SendStartFailure(int channel, const Error& why);

}  // namespace baokms::ipc
