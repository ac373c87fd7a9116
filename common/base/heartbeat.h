// Keeps a dead man's timer from going off for as long as an event loop turns: a child that hangs,
// or was stopped, is ended by the kernel and started again by its supervisor.

#pragma once

#include <memory>

#include "common/base/event_loop.h"
#include "common/base/process.h"
#include "common/base/result.h"

namespace baokms {

class Heartbeat final {
 public:
  // Makes and arms the timer; call it before the filter, which forbids timer_create(2). Beats from
  // the first turn of `loop` on, which must outlive it.
  static Result<std::unique_ptr<Heartbeat>> Create(EventLoop& loop);

  Heartbeat(const Heartbeat&) = delete;
  Heartbeat& operator=(const Heartbeat&) = delete;
  ~Heartbeat();

 private:
  Heartbeat(EventLoop& loop, DeadMansTimer timer);

  void Beat();

  EventLoop& loop_;
  DeadMansTimer timer_;
  EventLoop::TimerId next_ = 0;
};

}  // namespace baokms
