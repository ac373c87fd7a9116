// Detects whether the threads that serve KMS calls still run. `/live` is answered by a thread of
// its own, which would not notice by itself that they are stuck.

#pragma once

#include <array>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

namespace baokms::supervisor {

// The threads that every KMS call depends on.
enum class ServingThread : std::uint8_t {
  kEventLoop,  // workers, key status, timers, signals
  kKmsQueue,   // gRPC's completion queue
};

// Thread-safe, without a lock: a thread that is stuck may hold any.
class Liveness final {
 public:
  // Does not count the time during which the machine is suspended.
  using Clock = std::chrono::steady_clock;

  // How often a working thread reports.
  static constexpr std::chrono::seconds kInterval{1};

  // A thread that has not reported for this long is stuck. Far above the time that a slow disk
  // blocks the event loop while it saves the registry.
  static constexpr std::chrono::seconds kMaxSilence{10};

  // Counts every thread as having reported at `now`.
  explicit Liveness(Clock::time_point now = Clock::now()) {
    for (auto& heard : heard_) {
      heard = now;
    }
  }

  // Reports that `thread`, which is the caller, works; at least once per kInterval.
  void Beat(ServingThread thread, Clock::time_point now = Clock::now()) {
    heard_.at(static_cast<std::size_t>(thread)) = now;
  }

  // Returns the names of the stuck threads: "event_loop", "kms_queue".
  [[nodiscard]] std::vector<std::string_view> Stuck(Clock::time_point now = Clock::now()) const {
    std::vector<std::string_view> stuck;
    for (std::size_t i = 0; i < heard_.size(); ++i) {
      if (now - heard_.at(i).load() > kMaxSilence) {
        stuck.push_back(kNames.at(i));
      }
    }
    return stuck;
  }

 private:
  static constexpr std::array<std::string_view, 2> kNames = {"event_loop", "kms_queue"};

  std::array<std::atomic<Clock::time_point>, kNames.size()> heard_;
};

}  // namespace baokms::supervisor
