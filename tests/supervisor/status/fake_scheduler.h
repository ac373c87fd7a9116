// Virtual time: nothing happens until the test lets time pass.

#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <map>
#include <utility>

#include "supervisor/status/scheduler.h"

namespace baokms::supervisor {

class FakeScheduler final : public Scheduler {
 public:
  [[nodiscard]] BootTime Now() const override { return now_; }

  [[nodiscard]] std::int64_t UnixNow() const override {
    return unix_offset_ + std::chrono::duration_cast<std::chrono::seconds>(now_).count();
  }

  TimerId At(BootTime when, Task task) override {
    const TimerId id = ++last_timer_;
    timers_.emplace(std::pair(when, id), std::move(task));
    return id;
  }

  void Cancel(TimerId timer) override {
    std::erase_if(timers_, [timer](const auto& entry) { return entry.first.second == timer; });
  }

  void Post(Task task) override { posted_.push_back(std::move(task)); }

  double Random() override { return 0.5; }

  // Everything that is due now, and what follows from it.
  void RunDue() { Advance(BootTime::zero()); }

  void Advance(BootTime duration) {
    const BootTime end = now_ + duration;
    for (;;) {
      if (!posted_.empty()) {
        const Task task = std::move(posted_.front());
        posted_.pop_front();
        task();
      } else if (!timers_.empty() && timers_.begin()->first.first <= end) {
        const auto next = timers_.begin();
        now_ = std::max(now_, next->first.first);
        const Task task = std::move(next->second);
        timers_.erase(next);
        task();
      } else {
        now_ = end;
        return;
      }
    }
  }

  // What the end of a process does: nothing of what it planned happens, but time goes on.
  void Forget() {
    timers_.clear();
    posted_.clear();
  }

  // Steps the wall clock alone.
  void StepWallClock(std::int64_t seconds) { unix_offset_ += seconds; }

 private:
  BootTime now_ = std::chrono::hours(1);
  std::int64_t unix_offset_ = 1'800'000'000;
  TimerId last_timer_ = 0;
  std::map<std::pair<BootTime, TimerId>, Task> timers_;
  std::deque<Task> posted_;
};

}  // namespace baokms::supervisor
