// The remaining lifetime of a token, according to the more pessimistic of two clocks.

#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <optional>

#include "common/base/clock.h"
#include "ipc/limits.h"

namespace baokms::worker {

// The readings of both clocks at one time.
struct Instant {
  BootTime boot{};
  std::chrono::nanoseconds wall{};  // since 1970; may step in either direction

  static Instant Now() { return {BootNow(), std::chrono::system_clock::now().time_since_epoch()}; }
};

// The age of the token is the larger of its boot-time age and its wall-clock age, and never
// decreases. Neither a suspend nor a clock that steps back extends the lifetime that OpenBao
// granted.
class TokenLease final {
 public:
  // `seconds` is OpenBao's lease_duration, limited to ipc::kMaxLeaseSeconds; 0 means that the token
  // does not expire.
  TokenLease(Instant obtained, std::int64_t seconds)
      : obtained_(obtained),
        length_(std::chrono::seconds(
            std::clamp<std::int64_t>(seconds, std::int64_t{0}, ipc::kMaxLeaseSeconds))) {}

  [[nodiscard]] bool expires() const { return length_ != BootTime::zero(); }

  // Returns the total lifetime; zero when the token does not expire.
  [[nodiscard]] BootTime length() const { return length_; }

  // Returns the remaining lifetime at `now`, at least zero; nothing when the token does not expire.
  std::optional<BootTime> Remaining(Instant now) {
    if (!expires()) {
      return std::nullopt;
    }
    age_ = std::max({age_, now.boot - obtained_.boot, now.wall - obtained_.wall});
    return std::max(length_ - age_, BootTime::zero());
  }

 private:
  Instant obtained_;
  BootTime length_;
  BootTime age_{};
};

}  // namespace baokms::worker
