// The two clocks this project reads. Elapsed times and deadlines use CLOCK_BOOTTIME, which counts
// while the machine is suspended: a token that expired during a suspend is known as expired.

#pragma once

#include <chrono>
#include <cstdint>

namespace baokms {

// Nanoseconds since boot, suspended time included (clock_gettime(2), CLOCK_BOOTTIME). The same in
// every process, so it is what a deadline on an IPC channel is measured in.
using BootTime = std::chrono::duration<std::int64_t, std::nano>;

[[nodiscard]] BootTime BootNow();

// Whole Unix seconds (CLOCK_REALTIME). May step in either direction.
[[nodiscard]] std::int64_t UnixNow();

}  // namespace baokms
