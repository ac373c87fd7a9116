#include "tests/bench/recorder.h"

#include <algorithm>
#include <cmath>

namespace baokms::bench {
namespace {

// The smallest sample that `share` of all samples do not exceed; 0 without samples.
double Percentile(const std::vector<double>& sorted, double share) {
  if (sorted.empty()) {
    return 0;
  }
  const auto rank = static_cast<std::size_t>(std::ceil(share * static_cast<double>(sorted.size())));
  return sorted[std::clamp<std::size_t>(rank, 1, sorted.size()) - 1];
}

}  // namespace

Recorder::Recorder(Timing timing)
    : begin_(Clock::now() + timing.warm_up), end_(begin_ + timing.measured) {
}

void Recorder::Add(Clock::time_point began, Clock::time_point ended) {
  ++calls_;
  if (ended >= begin_ && ended < end_) {
    latencies_ms_.push_back(std::chrono::duration<double, std::milli>(ended - began).count());
  }
}

Summary Recorder::Sum() const {
  std::vector<double> sorted = latencies_ms_;
  std::sort(sorted.begin(), sorted.end());
  Summary summary;
  summary.p50_ms = Percentile(sorted, 0.50);
  summary.p99_ms = Percentile(sorted, 0.99);
  summary.rate =
      static_cast<double>(sorted.size()) / std::chrono::duration<double>(end_ - begin_).count();
  summary.calls = calls_;
  return summary;
}

}  // namespace baokms::bench
