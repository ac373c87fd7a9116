// The only thread that calls into a PKCS#11 module. A call that hangs blocks this thread
// permanently; its waiters detect that by a time limit and end the process.

#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>

#include "common/base/clock.h"
#include "common/base/result.h"

namespace baokms::authagent {

class NativeThread final {
 public:
  using Task = std::function<void()>;

  // Starts the thread. Call it before the system call filter is installed: a confined process
  // cannot start one.
  static Result<std::unique_ptr<NativeThread>> Start();

  NativeThread(const NativeThread&) = delete;
  NativeThread& operator=(const NativeThread&) = delete;

  // Waits for the task in progress; tasks queued after it are dropped.
  ~NativeThread();

  // Runs `task` after the ones before it. The task must report its end itself (EventLoop::Post()).
  void Post(Task task);

  // Runs `task` and waits for its end. Returns false when that takes longer than `limit`; the task
  // then continues, so the caller must no longer access what the task uses.
  [[nodiscard]] bool RunAndWait(Task task, BootTime limit);

 private:
  NativeThread() = default;

  void Work();

  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<Task> tasks_;  // guarded by mutex_
  bool stopping_ = false;   // guarded by mutex_
  std::thread thread_;
};

}  // namespace baokms::authagent
