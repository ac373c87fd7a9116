// The values of the process_* metrics for the supervisor itself. Opens its file once at the start,
// because a sandbox may forbid it later.

#pragma once

#include <cstdint>
#include <optional>

#include "common/base/unique_fd.h"

namespace baokms::supervisor {

struct MemoryUsage {
  std::uint64_t virtual_bytes = 0;
  std::uint64_t resident_bytes = 0;
};

// Reads an open /proc/<pid>/statm; returns nothing if it could not be opened or read.
[[nodiscard]] std::optional<MemoryUsage> ReadMemory(const UniqueFd& statm);

class SelfUsage final {
 public:
  SelfUsage();

  [[nodiscard]] std::optional<MemoryUsage> Memory() const { return ReadMemory(statm_); }

  // Returns the user and system time used so far.
  [[nodiscard]] static double CpuSeconds();

  [[nodiscard]] static double OpenDescriptors();
  [[nodiscard]] static double MaxDescriptors();

  // Returns when this object was created, at the start of the process, in Unix seconds.
  [[nodiscard]] double start_seconds() const { return start_seconds_; }

 private:
  UniqueFd statm_;
  double start_seconds_;
};

}  // namespace baokms::supervisor
