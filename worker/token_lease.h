// How much of a token's life is left, by the clock that says the worse.

#pragma once

#include <chrono>
#include <cstdint>
#include <optional>

#include "common/base/clock.h"

namespace baokms::worker {

// Both clocks, read together.
struct Instant {
  BootTime boot{};
  std::chrono::nanoseconds wall{};  // since 1970; may step in either direction

  static Instant Now() { return {BootNow(), std::chrono::system_clock::now().time_since_epoch()}; }
};

// The age is the larger of boot-time and wall-clock age and never shrinks: neither a suspended
// machine nor a clock that steps back gives a token time that OpenBao did not give it.
class TokenLease final {
 public:
  // `seconds` is OpenBao's lease_duration: 0 does not expire; it is bounded to
  // ipc::kMaxLeaseSeconds.
  TokenLease(Instant obtained, std::int64_t seconds);

  [[nodiscard]] bool expires() const { return length_ != BootTime::zero(); }

  // The whole of it; zero when it does not expire.
  [[nodiscard]] BootTime length() const { return length_; }

  // What is left at `now`, at least zero; nothing when it does not expire.
  std::optional<BootTime> Remaining(Instant now);

 private:
  Instant obtained_;
  BootTime length_;
  BootTime age_{};
};

}  // namespace baokms::worker
