#include "supervisor/observe/liveness.h"

#include <array>
#include <atomic>
#include <cstddef>
#include <string_view>
#include <vector>

namespace baokms::supervisor {

Liveness::Liveness(Clock::time_point now) {
  for (auto& heard : heard_) {
    heard.store(now, std::memory_order_relaxed);
  }
}

void Liveness::Beat(ServingThread thread, Clock::time_point now) {
  heard_.at(static_cast<std::size_t>(thread)).store(now, std::memory_order_relaxed);
}

std::vector<std::string_view> Liveness::Stuck(Clock::time_point now) const {
  constexpr std::array<std::string_view, kThreads> kNames = {"event_loop", "kms_queue"};
  std::vector<std::string_view> stuck;
  for (std::size_t i = 0; i < kThreads; ++i) {
    if (now - heard_.at(i).load(std::memory_order_relaxed) > kMaxSilence) {
      stuck.push_back(kNames.at(i));
    }
  }
  return stuck;
}

}  // namespace baokms::supervisor
