// Converts elapsed times into the numbers that messages and records carry.

#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <limits>

#include "common/base/clock.h"

namespace baokms {

// Returns whole microseconds: 0 for a negative time, and the maximum for a time above 71 minutes.
[[nodiscard]] constexpr std::uint32_t Microseconds(BootTime elapsed) {
  const auto count = std::chrono::duration_cast<std::chrono::microseconds>(elapsed).count();
  return static_cast<std::uint32_t>(
      std::clamp<std::int64_t>(count, 0, std::numeric_limits<std::uint32_t>::max()));
}

// Returns milliseconds with three decimals, as `duration_ms` of a log record.
[[nodiscard]] constexpr double Milliseconds(BootTime elapsed) {
  const auto whole = std::chrono::duration_cast<std::chrono::microseconds>(elapsed);
  return std::chrono::duration<double, std::milli>(whole).count();
}

}  // namespace baokms
