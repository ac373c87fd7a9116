// Serialises the metadata probe, the deep probe and discovery: one holds the mutex, the others wait
// in order of arrival (docs/contract.md#probes-and-health). A mutex for work that waits for
// callbacks; for one thread only.

#pragma once

#include <deque>
#include <functional>
#include <utility>

namespace baokms::supervisor {

class AsyncMutex final {
 public:
  AsyncMutex() = default;
  AsyncMutex(const AsyncMutex&) = delete;
  AsyncMutex& operator=(const AsyncMutex&) = delete;

  // Runs `work` as soon as the mutex is free, possibly before this call returns. The work must call
  // Leave() exactly once.
  void Enter(std::function<void()> work) {
    if (held_) {
      waiting_.push_back(std::move(work));
      return;
    }
    held_ = true;
    work();
  }

  void Leave() {
    if (waiting_.empty()) {
      held_ = false;
      return;
    }
    const std::function<void()> next = std::move(waiting_.front());
    waiting_.pop_front();
    next();
  }

 private:
  bool held_ = false;
  std::deque<std::function<void()>> waiting_;
};

}  // namespace baokms::supervisor
