#include "common/base/heartbeat.h"

#include <chrono>
#include <utility>

namespace baokms {
Result<std::unique_ptr<Heartbeat>> Heartbeat::Create(EventLoop& loop,
                                                     std::int64_t seconds_to_live) {
  DeadMansTimer timer = BAOKMS_TRY(DeadMansTimer::Create(seconds_to_live));
  const BootTime interval = std::chrono::seconds(seconds_to_live) / 3;
  return std::unique_ptr<Heartbeat>(new Heartbeat(loop, std::move(timer), interval));
}

Heartbeat::Heartbeat(EventLoop& loop, DeadMansTimer timer, BootTime interval)
    : loop_(loop), timer_(std::move(timer)), interval_(interval) {
  next_ = loop_.After(BootTime::zero(), [this] { Beat(); });
}

Heartbeat::~Heartbeat() {
  loop_.Cancel(next_);
}

void Heartbeat::Beat() {
  // If the timer cannot be postponed, the kernel ends the process, as intended.
  if (timer_.Postpone()) {
    next_ = loop_.After(interval_, [this] { Beat(); });
  }
}

}  // namespace baokms
