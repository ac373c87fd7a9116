// Decides when a request is worth being sent to a second worker: after a delay that is learned from
// recent answers, and only as often as a budget allows. Pure bookkeeping.

#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <variant>
#include <vector>

#include "common/base/clock.h"
#include "proto/ipc.pb.h"
#include "supervisor/workers/worker_requests.h"

namespace baokms::supervisor {

class HedgePolicy final {
 public:
  // A multiple of what nearly all answers take is exceeded by what is stuck, not by what is slow.
  static constexpr int kFactor = 4;
  static constexpr BootTime kLeastDelay = std::chrono::milliseconds(20);

  // Used before the first answer of a kind.
  static constexpr BootTime kFirstDelay = std::chrono::milliseconds(100);

  // Answers of each kind from which the delay is learned.
  static constexpr std::size_t kSamples = 256;

  // Second copies per completed request: OpenBao serves at most five percent more when everything
  // is slow. A worker that is stopped holds up to a third of 32 clients.
  static constexpr double kShare = 0.05;
  static constexpr double kMaxBudget = 10;

  // Records that a request of this kind (its index in AnyAnswer) was answered.
  void Completed(std::size_t kind, BootTime took);

  // Returns after which time without an answer a request of this kind is sent to a second worker.
  [[nodiscard]] BootTime DelayOf(std::size_t kind) const { return kinds_[kind].delay; }

  // Returns whether the budget allows one more copy now.
  [[nodiscard]] bool Affordable() const { return budget_ >= 1; }

  // Returns whether a worker's refusal says something about that worker rather than about the
  // request, so that another worker that has the request may do better.
  [[nodiscard]] static bool IsAboutWorker(ipc::Outcome outcome);

  // Takes one copy out of the budget.
  void Spend() { budget_ -= 1; }

 private:
  struct Kind {
    std::vector<BootTime> took;  // the latest, at most kSamples
    std::size_t count = 0;       // of all answers
    BootTime delay = kFirstDelay;
  };

  std::array<Kind, std::variant_size_v<AnyAnswer>> kinds_;
  double budget_ = 0;  // empty at start: nothing was learned yet
};

}  // namespace baokms::supervisor
