// The two clocks this project reads, and the numbers that messages and records carry of them.
// Elapsed times and deadlines use CLOCK_BOOTTIME, which counts while the machine is suspended: a
// token that expired during a suspend is known as expired.

#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <limits>

namespace baokms {

// Returns the nanoseconds since boot, including suspended time (clock_gettime(2), CLOCK_BOOTTIME).
// The value is the same in every process, so deadlines on IPC channels are expressed in it.
using BootTime = std::chrono::duration<std::int64_t, std::nano>;

[[nodiscard]] BootTime BootNow();

// Returns the whole Unix seconds (CLOCK_REALTIME). The value may step in either direction.
[[nodiscard]] std::int64_t UnixNow();

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
