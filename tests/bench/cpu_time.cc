#include "tests/bench/cpu_time.h"

#include <ctime>
#include <optional>

namespace baokms::bench {
namespace {

std::optional<std::chrono::nanoseconds> ReadClock(clockid_t clock) {
  timespec time{};
  if (clock_gettime(clock, &time) != 0) {
    return std::nullopt;
  }
  return std::chrono::seconds(time.tv_sec) + std::chrono::nanoseconds(time.tv_nsec);
}

}  // namespace

CpuTimes ReadCpuTimes(const std::map<std::string, int>& watched) {
  CpuTimes times;
  for (const auto& [name, pid] : watched) {
    clockid_t clock{};
    if (clock_getcpuclockid(pid, &clock) != 0) {
      continue;
    }
    if (const auto time = ReadClock(clock)) {
      times[name] = *time;
    }
  }
  if (const auto own = ReadClock(CLOCK_PROCESS_CPUTIME_ID)) {
    times["load"] = *own;
  }
  return times;
}

std::map<std::string, double> CpuPerCall(const CpuTimes& before,
                                         const CpuTimes& after,
                                         std::uint64_t calls) {
  std::map<std::string, double> per_call;
  for (const auto& [name, time] : after) {
    const auto earlier = before.find(name);
    if (earlier != before.end() && calls > 0) {
      const std::chrono::duration<double, std::micro> used = time - earlier->second;
      per_call[name] = used.count() / static_cast<double>(calls);
    }
  }
  return per_call;
}

}  // namespace baokms::bench
