// A token bucket: limits the rate of events and allows bursts. Not thread-safe.

#pragma once

#include <algorithm>
#include <chrono>

#include "common/base/clock.h"

namespace baokms {

class TokenBucket final {
 public:
  // Creates a full bucket. `burst` events are allowed at once, and `per_second` more every second
  // after that. With 0, `burst` is the total for the lifetime of the bucket.
  constexpr TokenBucket(double burst, double per_second)
      : burst_(burst), per_second_(per_second), tokens_(burst) {}

  // Counts one more event and returns true if the bucket has room. `now` must never decrease.
  [[nodiscard]] bool Take(BootTime now) {
    const std::chrono::duration<double> elapsed = now - filled_at_;
    tokens_ = std::min(burst_, tokens_ + elapsed.count() * per_second_);
    filled_at_ = now;
    if (tokens_ < 1) {
      return false;
    }
    tokens_ -= 1;
    return true;
  }

 private:
  double burst_;
  double per_second_;
  double tokens_;
  BootTime filled_at_{};  // since boot: the first event finds the bucket full
};

}  // namespace baokms
