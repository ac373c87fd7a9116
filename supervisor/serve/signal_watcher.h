// Handles SIGTERM, SIGINT and SIGHUP on a thread of its own and enforces the time limit of an
// orderly shutdown. Both must work even while the event loop that they address is stuck.

#pragma once

#include <functional>
#include <memory>
#include <thread>

#include "common/base/clock.h"
#include "common/base/event_loop.h"
#include "common/base/result.h"
#include "common/base/unique_fd.h"

namespace baokms::supervisor {

class SignalWatcher final {
 public:
  // All are called on the watcher's thread.
  struct Hooks {
    std::function<void(int signal)> on_signal;
    // The shutdown has taken longer than `stop_limit`. Expected to end the process.
    std::function<void()> on_overdue;
    BootTime stop_limit;
  };

  // Blocks the signals in the calling thread and in all threads that it starts afterwards, so it
  // must be called before the first one. Fails if the system has no descriptor or thread left.
  static Result<std::unique_ptr<SignalWatcher>> Create(Hooks hooks);

  SignalWatcher(const SignalWatcher&) = delete;
  SignalWatcher& operator=(const SignalWatcher&) = delete;
  // Ends the thread; no hook is called afterwards.
  ~SignalWatcher();

  // Starts the time limit of a shutdown that no signal caused. SIGTERM and SIGINT start it by
  // themselves. Callable from any thread; only the first call counts.
  void BeginStop();

 private:
  SignalWatcher(std::unique_ptr<EventLoop> loop, UniqueFd signals, Hooks hooks)
      : loop_(std::move(loop)), signals_(std::move(signals)), hooks_(std::move(hooks)) {}

  void OnReady();

  std::unique_ptr<EventLoop> loop_;
  UniqueFd signals_;
  Hooks hooks_;
  bool limited_ = false;  // the watcher's thread only
  std::thread thread_;
};

}  // namespace baokms::supervisor
