// Keeps the auth agent and the workers running: asks the spawner for them, learns of their ends,
// starts them again with back-off. Their channels belong to those that talk to them.

#pragma once

#include <sys/types.h>

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "common/base/clock.h"
#include "common/base/event_loop.h"
#include "common/base/log.h"
#include "common/base/result.h"
#include "common/base/unique_fd.h"
#include "proto/ipc.pb.h"
#include "supervisor/children/child_channel.h"
#include "supervisor/children/exit_status.h"
#include "supervisor/observe/metrics.h"
#include "supervisor/spawner/child_key.h"

namespace baokms::supervisor {

// What the owner does with the events. All run on the loop's thread.
struct ChildrenHooks {
  // A new incarnation was started; `channel` is the supervisor's end of its pair.
  std::function<void(const ChildKey&, pid_t, UniqueFd channel)> started;
  // It ended, and its channel says nothing any more.
  std::function<void(const ChildKey&, const ExitStatus&)> ended;
  // The spawner is gone: nobody can start a child any more.
  std::function<void()> spawner_gone;
};

class Children final {
 public:
  // `events` gets what the spawner says about itself. Everything passed by reference must outlive
  // it.
  static Result<std::unique_ptr<Children>> Create(EventLoop& loop,
                                                  LogSink& log,
                                                  Metrics& metrics,
                                                  ChildEvents& events,
                                                  UniqueFd spawner_channel,
                                                  ChildrenHooks hooks);

  Children(const Children&) = delete;
  Children& operator=(const Children&) = delete;
  ~Children() = default;

  // Starts the agent and `workers` workers as soon as the spawner has said Hello.
  void Start(std::uint32_t workers);

  // Ends a child that broke the protocol or does not answer; it is started again after its end.
  void Kill(const ChildKey& key);

  // The child's filter reported a refused call; believed once the exit code says the same.
  void NoteRefusedSyscall(const ChildKey& key, std::uint32_t number);

  // 0 when the slot is empty.
  [[nodiscard]] pid_t PidOf(const ChildKey& key) const;

  // No child is started any more.
  void StopRestarting() { stopping_ = true; }

 private:
  class SpawnerChannel;

  struct Child {
    pid_t pid = 0;
    UniqueFd pending_channel{};  // ours, until the spawner answers
    BootTime started_at{};
    BootTime next_delay{};
    std::optional<std::uint32_t> refused_syscall{};
  };

  Children(EventLoop& loop, LogSink& log, Metrics& metrics, ChildrenHooks hooks)
      : loop_(loop), log_(log), metrics_(metrics), hooks_(std::move(hooks)) {}

  void Spawn(const ChildKey& key);
  void SpawnLater(const ChildKey& key);
  void OnSpawnerReady();
  Status OnSpawned(const ipc::Spawned& spawned);
  Status OnExited(const ipc::Exited& exited);
  void Ended(const ChildKey& key, const ExitStatus& death);

  EventLoop& loop_;
  LogSink& log_;
  Metrics& metrics_;
  ChildrenHooks hooks_;
  std::shared_ptr<SpawnerChannel> spawner_;
  bool spawner_ready_ = false;  // it has said Hello
  std::map<ChildKey, Child> children_;
  bool stopping_ = false;
};

}  // namespace baokms::supervisor
