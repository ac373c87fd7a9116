// Postpones a dead man's timer for as long as an event loop runs: the kernel kills a child that
// hangs or was stopped, and its supervisor starts a new one.

#pragma once

#include <cstdint>
#include <memory>

#include "common/base/clock.h"
#include "common/base/event_loop.h"
#include "common/base/process.h"
#include "common/base/result.h"

namespace baokms {

class Heartbeat final {
 public:
  // None of our callbacks takes a second, and a child that hangs or was stopped is gone before an
  // API server's second retry.
  static constexpr std::int64_t kSecondsToLive = 15;

  // Creates and arms the timer. Call it before the filter is installed, because the filter forbids
  // timer_create(2). From the first iteration of `loop` on, the timer is postponed three times in
  // each `seconds_to_live`. `loop` must outlive the heartbeat.
  static Result<std::unique_ptr<Heartbeat>> Create(EventLoop& loop,
                                                   std::int64_t seconds_to_live = kSecondsToLive);

  Heartbeat(const Heartbeat&) = delete;
  Heartbeat& operator=(const Heartbeat&) = delete;
  ~Heartbeat();

 private:
  Heartbeat(EventLoop& loop, DeadMansTimer timer, BootTime interval);

  void Beat();

  EventLoop& loop_;
  DeadMansTimer timer_;
  BootTime interval_;
  EventLoop::TimerId next_ = 0;
};

}  // namespace baokms
