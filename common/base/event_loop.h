// The epoll loop of one thread: descriptors, timers, and tasks posted from other threads. It is
// independent of messages and processes.

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

// All functions except Post() and Stop() must be called on the thread that calls Run(). Create()
// opens every descriptor that the loop needs, so a system call filter may forbid new ones
// afterwards.
class EventLoop final {
 public:
  // Called with the ready epoll events. The callback may watch and unwatch any descriptor,
  // including its own.
  using FdCallback = std::function<void(std::uint32_t events)>;
  using Task = std::function<void()>;

  // Identifies one pending timer and is never reused by the same loop. 0 identifies no timer.
  using TimerId = std::uint64_t;

  // Creates a loop. Fails when no file descriptor is available.
  static Result<std::unique_ptr<EventLoop>> Create();

  EventLoop(const EventLoop&) = delete;
  EventLoop& operator=(const EventLoop&) = delete;
  ~EventLoop() = default;

  // Watches `fd`, which the caller keeps and must unwatch before closing it. `events` are EPOLL*
  // bits, level-triggered. Fails if `fd` is already watched.
  Status Watch(int fd, std::uint32_t events, FdCallback callback);

  // Changes the events of a watched descriptor.
  Status Modify(int fd, std::uint32_t events);

  // Stops watching `fd`; its callback is not called again. Does nothing when `fd` is not watched.
  void Unwatch(int fd);

  // Calls `task` once, at `when` or as soon afterwards as the loop can.
  TimerId At(BootTime when, Task task);
  TimerId After(BootTime delay, Task task);

  // Cancels a timer. Does nothing for a timer that has fired or was already cancelled.
  void Cancel(TimerId timer);

  // Runs `task` on the loop's thread. May be called from any thread.
  void Post(Task task);

  // Runs until Stop() is called. Fails only when epoll itself fails.
  Status Run();

  // Makes Run() return after the current callback. May be called from any thread.
  void Stop();

 private:
  EventLoop(UniqueFd epoll, UniqueFd wake) : epoll_(std::move(epoll)), wake_(std::move(wake)) {}

  [[nodiscard]] int MillisecondsToNextTimer() const;
  void RunDueTimers();
  void RunPosted();
  void Wake();
  void Dispatch(const epoll_event& event);

  UniqueFd epoll_;
  UniqueFd wake_;
  std::unordered_map<int, std::shared_ptr<FdCallback>> watched_;
  std::map<std::pair<BootTime, TimerId>, Task> timers_;
  std::unordered_map<TimerId, BootTime> timer_times_;
  TimerId last_timer_ = 0;
  std::mutex mutex_;
  std::vector<Task> posted_;  // guarded by mutex_
  bool stopping_ = false;     // guarded by mutex_
};

}  // namespace baokms
