// One thread's epoll loop: descriptors, timers, and tasks posted from other threads. It knows
// nothing of messages or processes.

#pragma once

#include <sys/epoll.h>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <unordered_map>
#include <utility>
#include <vector>

#include "common/base/clock.h"
#include "common/base/result.h"
#include "common/base/unique_fd.h"

namespace baokms {

// Everything but Post() and Stop() belongs to the thread that calls Run(). All descriptors the
// loop needs are opened by Create(), so a filter may forbid new ones afterwards.
class EventLoop final {
 public:
  // Called with the epoll events that are ready. May watch and unwatch anything, itself included.
  using FdCallback = std::function<void(std::uint32_t events)>;
  using Task = std::function<void()>;

  // Names one pending timer; never reused by the same loop. 0 names none.
  using TimerId = std::uint64_t;

  // Fails when the kernel has no descriptor left.
  static Result<std::unique_ptr<EventLoop>> Create();

  EventLoop(const EventLoop&) = delete;
  EventLoop& operator=(const EventLoop&) = delete;
  ~EventLoop() = default;

  // Watches `fd`, which stays the caller's and must be unwatched before it is closed. `events` are
  // EPOLL* bits, level-triggered. Fails if it is watched already.
  Status Watch(int fd, std::uint32_t events, FdCallback callback);

  // Changes the events of a watched descriptor.
  Status Modify(int fd, std::uint32_t events);

  // Forgets `fd`; its callback is not called again. Harmless when it is not watched.
  void Unwatch(int fd);

  // Calls `task` once, at `when` or as soon after it as the loop gets to it.
  TimerId At(BootTime when, Task task);
  TimerId After(BootTime delay, Task task);

  // Harmless for a timer that has fired or was cancelled.
  void Cancel(TimerId timer);

  // Runs `task` on the loop's thread. Callable from any thread.
  void Post(Task task);

  // Runs until Stop(). Fails only when epoll itself does.
  Status Run();

  // Makes Run() return after the callback in progress. Callable from any thread.
  void Stop();

 private:
  EventLoop(UniqueFd epoll, UniqueFd wake) : epoll_(std::move(epoll)), wake_(std::move(wake)) {}

  struct Watched {
    FdCallback callback;
  };

  [[nodiscard]] int MillisecondsToNextTimer() const;
  void RunDueTimers();
  void RunPosted();
  void Wake();
  void Dispatch(const epoll_event& event);

  UniqueFd epoll_;
  UniqueFd wake_;
  std::unordered_map<int, std::shared_ptr<Watched>> watched_;
  std::map<std::pair<BootTime, TimerId>, Task> timers_;
  std::unordered_map<TimerId, BootTime> timer_times_;
  TimerId last_timer_ = 0;
  std::mutex mutex_;
  std::vector<Task> posted_;  // guarded by mutex_
  bool stopping_ = false;     // guarded by mutex_
};

}  // namespace baokms
