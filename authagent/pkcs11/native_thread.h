// The only thread that calls into a PKCS#11 module, and the module's key for TLS. A call that hangs
// blocks this thread permanently; its waiters detect that by a time limit and end the process.

#pragma once

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

#include "authagent/pkcs11/signing_key.h"
#include "common/base/clock.h"
#include "common/base/error.h"
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

// The HSM's key for TLS, which runs on the loop's thread and needs its signature synchronously.
class ThreadedKey final : public SigningKey {
 public:
  // `thread` and `inner` must outlive the key and every hanging call. `failed` is called for each
  // failure, on the caller's thread; kDeadlineExceeded: `inner` did not answer within `limit`.
  ThreadedKey(NativeThread& thread,
              SigningKey& inner,
              BootTime limit,
              std::function<void(const Error&)> failed)
      : thread_(thread), inner_(inner), limit_(limit), failed_(std::move(failed)) {}

  Result<std::vector<std::uint8_t>> Sign(const SignatureRequest& request) override;

 private:
  NativeThread& thread_;
  SigningKey& inner_;
  BootTime limit_;
  std::function<void(const Error&)> failed_;
};

}  // namespace baokms::authagent
