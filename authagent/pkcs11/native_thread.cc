#include "authagent/pkcs11/native_thread.h"

#include <chrono>
#include <system_error>

namespace baokms::authagent {

Result<std::unique_ptr<NativeThread>> NativeThread::Start() {
  std::unique_ptr<NativeThread> created(new NativeThread());
  try {
    created->thread_ = std::thread([self = created.get()] { self->Work(); });
  } catch (const std::system_error&) {
    return Error(ErrorCode::kResourceExhausted, "no thread for the PKCS#11 module");
  }
  return created;
}

NativeThread::~NativeThread() {
  {
    const std::scoped_lock lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_all();
  if (thread_.joinable()) {
    thread_.join();
  }
}

void NativeThread::Post(Task task) {
  {
    const std::scoped_lock lock(mutex_);
    tasks_.push_back(std::move(task));
  }
  changed_.notify_all();
}

bool NativeThread::RunAndWait(Task task, BootTime limit) {
  // Shared, because a hanging task outlives this call.
  struct End {
    std::mutex mutex;
    std::condition_variable reached;
    bool done = false;
  };

  const auto end = std::make_shared<End>();
  Post([end, task = std::move(task)] {
    task();
    const std::scoped_lock lock(end->mutex);
    end->done = true;
    end->reached.notify_all();
  });
  std::unique_lock lock(end->mutex);
  return end->reached.wait_for(lock, limit, [&] { return end->done; });
}

void NativeThread::Work() {
  std::unique_lock lock(mutex_);
  for (;;) {
    changed_.wait(lock, [this] { return stopping_ || !tasks_.empty(); });
    if (stopping_) {
      return;
    }
    const Task task = std::move(tasks_.front());
    tasks_.pop_front();
    lock.unlock();
    task();
    lock.lock();
  }
}

Result<std::vector<std::uint8_t>> ThreadedKey::Sign(const SignatureRequest& request) {
  // Shared with the task, which continues when no caller waits for it any more.
  struct Work {
    SignatureRequest request;
    std::vector<std::uint8_t> input;
    Result<std::vector<std::uint8_t>> signature = Error(ErrorCode::kInternal, "not signed");
  };

  const auto work = std::make_shared<Work>();
  work->request = request;
  work->input.assign(request.input.begin(), request.input.end());
  work->request.input = work->input;
  // Does not use `this`, because the task may start after the key was destroyed.
  const bool ended = thread_.RunAndWait(
      [work, &inner = inner_] { work->signature = inner.Sign(work->request); }, limit_);
  if (!ended) {
    const Error hung(ErrorCode::kDeadlineExceeded, "PKCS#11 module does not answer");
    failed_(hung);
    return hung;  // the task may be writing its own answer
  }
  if (!work->signature) {
    failed_(work->signature.error());
  }
  return std::move(work->signature);
}

}  // namespace baokms::authagent
