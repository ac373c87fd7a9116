// The one thread that calls into a PKCS#11 module. A call that hangs keeps this thread for ever;
// whoever waits notices by the clock and ends the process.

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

  // Start it before the system call filter: a confined process starts no thread.
  static Result<std::unique_ptr<NativeThread>> Start();

  NativeThread(const NativeThread&) = delete;
  NativeThread& operator=(const NativeThread&) = delete;

  // Waits for the task in progress; the ones behind it are dropped.
  ~NativeThread();

  // Runs `task` after the ones before it. It tells its end by itself (EventLoop::Post()).
  void Post(Task task);

  // Runs `task` and waits for its end; false when that took longer than `limit`. The task goes on
  // all the same, so that the caller must not touch what it uses any more.
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
