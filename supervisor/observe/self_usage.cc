#include "supervisor/observe/self_usage.h"

#include <sys/resource.h>
#include <sys/time.h>
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <chrono>
#include <system_error>

namespace baokms::supervisor {
namespace {

// Maximum number of descriptors that are counted. A supervisor has a few hundred; counting more
// would take too long.
constexpr rlim_t kMaxDescriptors = 65'536;

double Seconds(const timeval& time) {
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
}

rlimit DescriptorLimit() {
  rlimit limit{};
  (void)::getrlimit(RLIMIT_NOFILE, &limit);
  return limit;
}

}  // namespace

std::optional<MemoryUsage> ReadMemory(const UniqueFd& statm) {
  std::array<char, 128> text{};
  const ssize_t size = ::pread(statm.get(), text.data(), text.size(), 0);
  if (size <= 0) {
    return std::nullopt;
  }
  const char* end = text.data() + size;
  std::uint64_t pages = 0;
  std::uint64_t resident = 0;
  const auto first = std::from_chars(text.data(), end, pages);
  if (first.ec != std::errc() || first.ptr == end ||
      std::from_chars(first.ptr + 1, end, resident).ec != std::errc()) {
    return std::nullopt;
  }
  const auto page = static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
  return MemoryUsage{pages * page, resident * page};
}

SelfUsage::SelfUsage()
    : statm_(::open("/proc/self/statm", O_RDONLY | O_CLOEXEC)),
      start_seconds_(
          std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch())
              .count()) {
}

double SelfUsage::CpuSeconds() {
  rusage usage{};
  (void)::getrusage(RUSAGE_SELF, &usage);
  return Seconds(usage.ru_utime) + Seconds(usage.ru_stime);
}

double SelfUsage::OpenDescriptors() {
  // /proc/self/fd belongs to root if the process is not dumpable.
  const int end = static_cast<int>(std::min(DescriptorLimit().rlim_cur, kMaxDescriptors));
  int open = 0;
  for (int fd = 0; fd < end; ++fd) {
    open += ::fcntl(fd, F_GETFD) >= 0 ? 1 : 0;
  }
  return open;
}

double SelfUsage::MaxDescriptors() {
  return static_cast<double>(DescriptorLimit().rlim_cur);
}

}  // namespace baokms::supervisor
