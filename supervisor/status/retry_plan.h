// Schedules the next round of probes: 1, 2 and 5 seconds after failures, then at the regular
// interval, which is shorter until the first success (docs/contract.md#probes-and-health).

#pragma once

#include "common/base/backoff.h"
#include "common/base/clock.h"
#include "supervisor/status/scheduler.h"

namespace baokms::supervisor {

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
