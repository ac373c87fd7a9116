// Counts events of the last minute against a limit. It does not wait and knows no reasons.

#pragma once

#include <chrono>
#include <cstddef>
#include <deque>

#include "common/base/clock.h"

namespace baokms::authagent {

class MinuteWindow final {
 public:
  // `limit` events fit into any minute; at least one does.
  explicit MinuteWindow(std::size_t limit) : limit_(limit == 0 ? 1 : limit) {}

  // Whether one more event fits; it is counted then.
  bool Take(BootTime now) {
    Forget(now);
    if (events_.size() >= limit_) {
      return false;
    }
    events_.push_back(now);
    return true;
  }

  // How long until one more event fits; zero when it does now.
  BootTime UntilNext(BootTime now) {
    Forget(now);
    return events_.size() < limit_ ? BootTime::zero() : events_.front() + kWindow - now;
  }

 private:
  static constexpr BootTime kWindow = std::chrono::minutes(1);

  void Forget(BootTime now) {
    while (!events_.empty() && events_.front() + kWindow <= now) {
      events_.pop_front();
    }
  }

  std::size_t limit_;
  std::deque<BootTime> events_;
};

}  // namespace baokms::authagent
