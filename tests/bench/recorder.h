// Collects the latencies of one step and sums them up. One thread.

#pragma once

#include <cstdint>
#include <vector>

#include "tests/bench/step.h"

namespace baokms::bench {

class Recorder {
 public:
  // The warm-up begins now.
  explicit Recorder(Timing timing);

  // False once no further call should begin.
  [[nodiscard]] bool Open(Clock::time_point now) const { return now < end_; }

  // Counts a call; its latency only when it ended inside the measured time.
  void Add(Clock::time_point began, Clock::time_point ended);

  // Without the CPU times.
  [[nodiscard]] Summary Sum() const;

 private:
  Clock::time_point begin_;
  Clock::time_point end_;
  std::vector<double> latencies_ms_;
  std::uint64_t calls_ = 0;
};

}  // namespace baokms::bench
