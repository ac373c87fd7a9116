// The two clocks this project reads. Elapsed times and deadlines use CLOCK_BOOTTIME, which counts
// while the machine is suspended: a token that expired during a suspend is known as expired.

#pragma once

#include <chrono>
#include <cstdint>

namespace baokms {

// Returns the nanoseconds since boot, including suspended time (clock_gettime(2), CLOCK_BOOTTIME).
// The value is the same in every process, so deadlines on IPC channels are expressed in it.
using BootTime = std::chrono::duration<std::int64_t, std::nano>;

[[nodiscard]] BootTime BootNow();

// Returns the whole Unix seconds (CLOCK_REALTIME). The value may step in either direction.
[[nodiscard]] std::int64_t UnixNow();

}  // namespace baokms
