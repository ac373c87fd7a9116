#include "common/base/clock.h"

#include <time.h>

#include <cstdlib>

namespace baokms {
namespace {

timespec Read(clockid_t clock) {
  timespec now{};
  // Fails only for a clock that the kernel does not have. Continuing with an invented time would be
  // worse than aborting.
  if (::clock_gettime(clock, &now) != 0) {
    std::abort();
  }
  return now;
}

}  // namespace

BootTime BootNow() {
  const timespec now = Read(CLOCK_BOOTTIME);
  return std::chrono::seconds(now.tv_sec) + std::chrono::nanoseconds(now.tv_nsec);
}

std::int64_t UnixNow() {
  return Read(CLOCK_REALTIME).tv_sec;
}

}  // namespace baokms
