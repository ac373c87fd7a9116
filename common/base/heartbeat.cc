#include "common/base/heartbeat.h"

#include <chrono>
#include <cstdint>
#include <memory>
#include <utility>

#include "common/base/clock.h"
#include "common/base/event_loop.h"
#include "common/base/process.h"
#include "common/base/result.h"

namespace baokms {
namespace {

// No callback of ours takes a second; a stopped or hanging child is gone before an API server's
// second retry.
constexpr std::int64_t kSecondsToLive = 15;
constexpr BootTime kBeat = std::chrono::seconds(5);

}  // namespace

Result<std::unique_ptr<Heartbeat>> Heartbeat::Create(EventLoop& loop) {
  DeadMansTimer timer = BAOKMS_TRY(DeadMansTimer::Create(kSecondsToLive));
  return std::unique_ptr<Heartbeat>(new Heartbeat(loop, std::move(timer)));
}

Heartbeat::Heartbeat(EventLoop& loop, DeadMansTimer timer) : loop_(loop), timer_(std::move(timer)) {
  next_ = loop_.After(BootTime::zero(), [this] { Beat(); });
}

Heartbeat::~Heartbeat() {
  loop_.Cancel(next_);
}

void Heartbeat::Beat() {
  // A timer that cannot be postponed ends the process, which is what it is for.
  if (timer_.Postpone()) {
    next_ = loop_.After(kBeat, [this] { Beat(); });
  }
}

}  // namespace baokms
