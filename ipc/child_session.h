// A child's side of its channel to the supervisor: the event loop, Hello, the descriptors and
// reports sent at start, the log, and the exit. The same for every child program.

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

// Must be used on the loop's thread only, and must outlive every user of its loop, log or table.
class ChildSession final {
 public:
  ChildSession(Role role, UniqueFd supervisor);
  ChildSession(const ChildSession&) = delete;
  ChildSession& operator=(const ChildSession&) = delete;
  ~ChildSession() = default;

  // Creates the loop, the channel on it and the heartbeat. Call it after BeginChild(), which closes
  // all descriptors that were not inherited, and before the filter, which forbids new ones. Nothing
  // is received before Run(). Fails when the kernel is out of resources.
  Status Open(LogLevel lowest);

  // Available once Open() has succeeded.
  [[nodiscard]] EventLoop& loop() { return *loop_; }

  // Sends log records to the supervisor, which writes them. A record that cannot be sent is lost:
  // that the supervisor is gone is detected when reading.
  [[nodiscard]] LogSink& log() { return log_; }

  // The messages that the supervisor may send besides HelloAnswer and Ping. Fill it before Run().
  [[nodiscard]] Dispatch& table() { return table_; }

  // Adds Tunables to the table; their log level is applied here, before `apply` gets the rest.
  void AcceptTunables(std::function<void(const Tunables&)> apply);

  // Receives from the spawner, on `channel`, this process's ends of new channels between the agent
  // and the workers, for `accept`. When the spawner is gone, no more follow; the supervisor then
  // ends this process. A violation ends it at once. Call it after Open().
  Status AcceptPeers(UniqueFd channel,
                     std::function<Status(const PeerChannel& peer, UniqueFd end)> accept);

  // Sends a message. If the supervisor is gone, or has left megabytes unread, the process ends
  // instead.
  void Tell(MessageType type, const google::protobuf::MessageLite& message);

  // Sends Hello, the descriptors of the process's own /proc files and the confinement report. After
  // an error the process must end with ExitCodeAfter().
  Status Introduce(ProcFiles proc, const ConfinementReport& confinement);

  // Runs the loop and calls `greeted` once the supervisor has answered the Hello. Returns when the
  // supervisor is gone or violated the protocol, or after End().
  ExitCode Run(std::function<void()> greeted);

  // Makes Run() return `code`.
  void End(ExitCode code);

 private:
  Status SendProc(ProcDescriptor::Kind kind, UniqueFd file);

  Role role_;
  UniqueFd supervisor_;  // until Open() gives it to the link
  UpwardLog log_;
  std::unique_ptr<EventLoop> loop_;
  Dispatch table_;
  Phase phase_ = kPhaseHello;
  std::function<void()> greeted_;
  std::unique_ptr<Link> link_;
  Dispatch from_spawner_;
  std::unique_ptr<Link> spawner_;
  std::unique_ptr<Heartbeat> heartbeat_;
  ExitCode end_ = ExitCode::kLoopFailed;
};

// Implements main() of a child program. `start` sets the process up, serves and then exits the
// process itself; if it returns, its status says why the process did not start, which is sent to
// the supervisor. Returns the exit code for that case.
int RunChild(Role role, const std::function<Status(ChildSession&)>& start);

// Reports on `channel` why this process cannot start. Best effort: it is the last action of the
// process.
void SendStartFailure(int channel, const Error& why);

}  // namespace baokms::ipc
