// The values of the process_* metrics for the supervisor itself. Opens its file once at the start,
// because a sandbox may forbid it later.

#pragma once

#include <cstdint>
#include <optional>

#include "common/base/unique_fd.h"

namespace baokms::supervisor {

class SelfUsage final {
 public:
  SelfUsage();

  struct Memory {
    double virtual_bytes = 0;
    double resident_bytes = 0;
  };

  // Returns nothing if /proc could not be opened or read.
  [[nodiscard]] std::optional<Memory> ReadMemory() const;

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
