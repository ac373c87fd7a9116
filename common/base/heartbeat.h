// Keeps a dead man's timer from going off for as long as an event loop turns: a child that hangs,
// or was stopped, is ended by the kernel and started again by its supervisor.

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
  // No callback of ours takes a second; a child that hangs or was stopped is gone before an API
  // server's second retry.
  static constexpr std::int64_t kSecondsToLive = 15;

  // Creates and arms the timer; call it before the filter is installed, which forbids
  // timer_create(2). Postpones the timer from the first turn of `loop` on, three times in each
  // `seconds_to_live`. `loop` must outlive it.
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
