// Whether the threads that serve KMS calls still turn. `/live` is answered by a thread of its own,
// which alone would prove nothing about them.

#pragma once

#include <array>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

namespace baokms::supervisor {

// The threads without which no KMS call is answered.
enum class ServingThread : std::uint8_t {
  kEventLoop,  // workers, key status, timers, signals
  kKmsQueue,   // gRPC's completion queue
};

// Thread-safe, without a lock: a thread that is stuck may hold any.
class Liveness final {
 public:
  // Does not count the time that the machine is suspended.
  using Clock = std::chrono::steady_clock;

  // How often a thread that works reports.
  static constexpr std::chrono::seconds kInterval{1};

  // A thread that was silent for this long is stuck. Far above what a slow disk costs the event
  // loop when it saves the registry.
  static constexpr std::chrono::seconds kMaxSilence{10};

  // Every thread counts as heard at `now`.
  explicit Liveness(Clock::time_point now = Clock::now());

  // Called by `thread` itself, once per kInterval at least.
  void Beat(ServingThread thread, Clock::time_point now = Clock::now());

  // The names of the threads that are stuck: "event_loop", "kms_queue".
  [[nodiscard]] std::vector<std::string_view> Stuck(Clock::time_point now = Clock::now()) const;

 private:
  static constexpr std::size_t kThreads = 2;

  std::array<std::atomic<Clock::time_point>, kThreads> heard_;
};

}  // namespace baokms::supervisor
