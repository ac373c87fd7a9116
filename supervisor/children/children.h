// Keeps the auth agent and the workers running: asks the spawner to start them, is notified when
// they exit, and restarts them with back-off. It does not own their channels.

#pragma once

#include <sys/types.h>

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "common/base/backoff.h"
#include "common/base/clock.h"
#include "common/base/event_loop.h"
#include "common/base/log.h"
#include "common/base/result.h"
#include "common/base/token_bucket.h"
#include "common/base/unique_fd.h"
#include "ipc/limits.h"
#include "proto/ipc.pb.h"
#include "supervisor/children/child_channel.h"
#include "supervisor/children/start_spawner.h"
#include "supervisor/observe/metrics.h"
#include "supervisor/spawner/child_key.h"

namespace baokms::supervisor {

// Why a child exited, in the terms that metrics, logs and the replay rules share.
struct ExitStatus {
  enum class Kind : std::uint8_t {
    kExited,  // with a code of ipc::ExitCode or its own
    kKilled,  // SIGKILL: by the supervisor after a violation, by the OOM killer or by its own timer
    kUnresponsive,    // SIGKILL by the supervisor, because it did not answer
    kCrashed,         // SIGSEGV, SIGABRT, SIGBUS, SIGSYS or another fatal signal
    kRefusedSyscall,  // its filter refused a system call
    kNotStarted,      // the spawner could not start it
  };
  Kind kind = Kind::kExited;
  int code = 0;         // exit code or signal number
  std::string syscall;  // name of the system call, for kRefusedSyscall
};

// Interprets a waitpid(2) status. `refused_syscall` is the number that the child reported, if it
// did.
[[nodiscard]] ExitStatus ExitStatusOf(int wait_status,
                                      std::optional<std::uint32_t> refused_syscall);

// Returns the label for metrics: "exit_71", "sigkill", "sigsegv", "syscall_openat", "not_started".
[[nodiscard]] std::string CauseOf(const ExitStatus& status);

// Callbacks for the owner. All run on the loop's thread.
struct ChildrenHooks {
  // A new process was started; `channel` is the supervisor's end of its pair.
  std::function<void(const ChildKey&, UniqueFd channel)> started;
  // The process exited, and its channel delivers no more messages.
  std::function<void(const ChildKey&, const ExitStatus&)> ended;
  // The spawner is gone: no child can be started any longer.
  std::function<void()> spawner_gone;
};

class Children final {
 public:
  // `events` receives the spawner's reports about itself. Everything passed by reference must
  // outlive the object.
  static Result<std::unique_ptr<Children>> Create(EventLoop& loop,
                                                  LogSink& log,
                                                  Metrics& metrics,
                                                  ChildEvents& events,
                                                  SpawnerProcess spawner,
                                                  ChildrenHooks hooks);

  Children(const Children&) = delete;
  Children& operator=(const Children&) = delete;
  ~Children() = default;

  // Starts the agent and `workers` workers once the spawner has sent its Hello.
  void Start(std::uint32_t workers);

  // Kills a child that violated the protocol; it is restarted after its exit.
  void Kill(const ChildKey& key);

  // The same for a child that does not answer.
  void KillUnresponsive(const ChildKey& key);

  // Records that the child serves. When it ends, it is restarted without a delay, except if that
  // has happened too often (ipc::kPromptRestarts).
  void NoteServing(const ChildKey& key);

  // Records that the child's filter reported a refused call; used only if the exit code confirms
  // it.
  void NoteRefusedSyscall(const ChildKey& key, std::uint32_t number);

  // Returns the child's process id, or 0 if the slot is empty.
  [[nodiscard]] pid_t PidOf(const ChildKey& key) const;

  // Starts no more children.
  void StopRestarting() { stopping_ = true; }

 private:
  class SpawnerChannel;

  struct Child {
    pid_t pid = 0;
    UniqueFd pending_channel{};  // held until the spawner answers
    bool served = false;         // NoteServing() was called for the latest process
    TokenBucket prompt_restarts{ipc::kPromptRestarts.burst, ipc::kPromptRestarts.per_second};
    Backoff backoff{backoff::kChildRestart};
    std::optional<std::uint32_t> refused_syscall{};
    bool unresponsive = false;
  };

  Children(EventLoop& loop, LogSink& log, Metrics& metrics, ChildrenHooks hooks, pid_t spawner)
      : loop_(loop),
        log_(log),
        metrics_(metrics),
        hooks_(std::move(hooks)),
        spawner_pid_(spawner) {}

  void Spawn(const ChildKey& key);
  void SpawnLater(const ChildKey& key);
  void OnSpawnerReady();
  void OnSpawnerGone(const Error& why);
  Status OnSpawned(const ipc::Spawned& spawned);
  Status OnExited(const ipc::Exited& exited);
  // `pid` is 0 if the process never was.
  void Ended(const ChildKey& key, pid_t pid, const ExitStatus& exit_status);
  // Counts and logs the end of any child, the spawner included.
  void TellEnd(const ChildKey& key, pid_t pid, const ExitStatus& exit_status);

  EventLoop& loop_;
  LogSink& log_;
  Metrics& metrics_;
  ChildrenHooks hooks_;
  std::shared_ptr<SpawnerChannel> spawner_;
  pid_t spawner_pid_;
  std::optional<std::uint32_t> spawner_refused_syscall_{};
  bool spawner_ready_ = false;  // it has sent its Hello
  std::map<ChildKey, Child> children_;
  bool stopping_ = false;
};

}  // namespace baokms::supervisor
