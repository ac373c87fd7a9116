// When probes may run (docs/contract.md#probes-and-health): the time between two rounds, and the
// circuit breaker.

#pragma once

#include <cstdint>

#include "common/base/backoff.h"
#include "common/base/clock.h"
#include "supervisor/status/scheduler.h"

namespace baokms::supervisor {

// Stops a probe from hammering an OpenBao that does not answer: closed; open for a while after
// three counted failures in a row; half-open for one trial. There is one per kind of probe. KMS
// requests neither feed nor consult it.
class Breaker final {
 public:
  // `scheduler` provides the jitter and must outlive the object.
  explicit Breaker(Scheduler& scheduler) : scheduler_(scheduler) {}

  Breaker(const Breaker&) = delete;
  Breaker& operator=(const Breaker&) = delete;

  enum class Phase : std::uint8_t { kClosed, kOpen, kHalfOpen };

  // Returns whether a probe may run now; an open breaker becomes half-open once its time has
  // passed. Each `true` must be followed by Succeeded() or Failed().
  [[nodiscard]] bool Allows();

  void Succeeded();

  // Whether a failure counts: quick repeats of a failed probe do not. In the half-open phase every
  // failure opens the breaker again.
  enum class Counted : std::uint8_t { kNo, kYes };
  void Failed(Counted counted);

  // Lets an open breaker run its trial now, because there is a sign that OpenBao answers again.
  void AllowTrial();

  [[nodiscard]] Phase phase() const { return phase_; }

 private:
  void Open();

  Scheduler& scheduler_;
  Phase phase_ = Phase::kClosed;
  int failures_ = 0;
  BootTime open_until_{};
};

// Schedules the next round of probes: 1, 2 and 5 seconds after failures, then at the regular
// interval, which is shorter until the first success.
class RetryPlan final {
 public:
  struct Intervals {
    BootTime until_first_success;  // bootstrap.retryInterval
    BootTime regular;              // status.probeInterval
  };

  // `scheduler` provides the jitter and must outlive the object.
  RetryPlan(Scheduler& scheduler, Intervals intervals)
      : scheduler_(scheduler), intervals_(intervals) {}

  RetryPlan(const RetryPlan&) = delete;
  RetryPlan& operator=(const RetryPlan&) = delete;

  // Each records how a round ended and returns the time until the next one.
  [[nodiscard]] BootTime AfterSuccess();
  [[nodiscard]] BootTime AfterFailure();

  // Returns whether the next round is a quick repeat, whose failure the breaker does not count.
  [[nodiscard]] bool NextIsQuick() const;

 private:
  Scheduler& scheduler_;
  Intervals intervals_;
  Backoff quick_{backoff::kProbe};  // since the last success
  bool succeeded_once_ = false;
};

}  // namespace baokms::supervisor
