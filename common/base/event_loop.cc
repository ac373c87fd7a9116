#include "common/base/event_loop.h"

#include <sys/eventfd.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <chrono>

#include "common/base/error.h"

namespace baokms {

Result<std::unique_ptr<EventLoop>> EventLoop::Create() {
  UniqueFd epoll(::epoll_create1(EPOLL_CLOEXEC));
  if (!epoll.valid()) {
    return Error(ErrorCode::kSystem, "epoll_create1", errno);
  }
  UniqueFd wake(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!wake.valid()) {
    return Error(ErrorCode::kSystem, "eventfd", errno);
  }
  const int wake_fd = wake.get();
  std::unique_ptr<EventLoop> loop(new EventLoop(std::move(epoll), std::move(wake)));
  BAOKMS_TRY(loop->Watch(wake_fd, EPOLLIN, [wake_fd](std::uint32_t) {
    std::uint64_t count = 0;
    // The count carries no information. EAGAIN means that another wake-up has already consumed it.
    (void)!::read(wake_fd, &count, sizeof count);
  }));
  return loop;
}

Status EventLoop::Watch(int fd, std::uint32_t events, FdCallback callback) {
  epoll_event event{.events = events, .data = {.fd = fd}};
  BAOKMS_TRY(CheckSyscall(::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, fd, &event), "epoll_ctl(add)"));
  watched_[fd] = std::make_shared<FdCallback>(std::move(callback));
  return {};
}

Status EventLoop::Modify(int fd, std::uint32_t events) {
  epoll_event event{.events = events, .data = {.fd = fd}};
  return CheckSyscall(::epoll_ctl(epoll_.get(), EPOLL_CTL_MOD, fd, &event), "epoll_ctl(modify)");
}

void EventLoop::Unwatch(int fd) {
  if (watched_.erase(fd) > 0) {
    // ENOENT or EBADF: the owner closed the descriptor first, and the kernel has already removed
    // it.
    (void)::epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, fd, nullptr);
  }
}

EventLoop::TimerId EventLoop::At(BootTime when, Task task) {
  const TimerId id = ++last_timer_;
  timers_.emplace(std::make_pair(when, id), std::move(task));
  timer_times_.emplace(id, when);
  return id;
}

EventLoop::TimerId EventLoop::After(BootTime delay, Task task) {
  return At(BootNow() + delay, std::move(task));
}

void EventLoop::Cancel(TimerId timer) {
  const auto found = timer_times_.find(timer);
  if (found != timer_times_.end()) {
    timers_.erase({found->second, timer});
    timer_times_.erase(found);
  }
}

void EventLoop::Post(Task task) {
  {
    const std::lock_guard lock(mutex_);
    posted_.push_back(std::move(task));
  }
  Wake();
}

void EventLoop::Stop() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  Wake();
}

void EventLoop::Wake() {
  const std::uint64_t one = 1;
  // EAGAIN: the counter is at its maximum, so a wake-up is already pending.
  (void)!::write(wake_.get(), &one, sizeof one);
}

int EventLoop::MillisecondsToNextTimer() const {
  if (timers_.empty()) {
    return -1;
  }
  const BootTime left = timers_.begin()->first.first - BootNow();
  if (left <= BootTime::zero()) {
    return 0;
  }
  const auto rounded_up = std::chrono::ceil<std::chrono::milliseconds>(left).count();
  constexpr std::int64_t kMaxWait = 60'000;  // epoll_wait does not count suspended time
  return static_cast<int>(rounded_up < kMaxWait ? rounded_up : kMaxWait);
}

void EventLoop::RunDueTimers() {
  while (!timers_.empty() && timers_.begin()->first.first <= BootNow()) {
    const auto due = timers_.begin();
    const Task task = std::move(due->second);
    timer_times_.erase(due->first.second);
    timers_.erase(due);
    task();
  }
}

void EventLoop::RunPosted() {
  std::vector<Task> tasks;
  {
    const std::lock_guard lock(mutex_);
    tasks.swap(posted_);
  }
  for (const Task& task : tasks) {
    task();
  }
}

void EventLoop::Dispatch(const epoll_event& event) {
  const auto found = watched_.find(event.data.fd);
  if (found == watched_.end()) {
    return;  // removed by an earlier callback of the same round
  }
  const std::shared_ptr<FdCallback> keep_alive = found->second;
  (*keep_alive)(event.events);
}

Status EventLoop::Run() {
  std::array<epoll_event, 64> events{};
  for (;;) {
    const int count = ::epoll_wait(epoll_.get(), events.data(), static_cast<int>(events.size()),
                                   MillisecondsToNextTimer());
    if (count < 0 && errno != EINTR) {
      return Error(ErrorCode::kSystem, "epoll_wait", errno);
    }
    for (int i = 0; i < count; ++i) {
      Dispatch(events[static_cast<std::size_t>(i)]);
    }
    RunDueTimers();
    RunPosted();
    const std::lock_guard lock(mutex_);
    if (stopping_) {
      stopping_ = false;
      return {};
    }
  }
}

}  // namespace baokms
