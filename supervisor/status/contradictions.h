// What follows for two workers whose probes contradict each other: one of them lies or is broken,
// and nobody knows which.

#pragma once

#include "common/base/clock.h"
#include "common/base/token_bucket.h"
#include "supervisor/status/probe_failure.h"
#include "supervisor/status/status_reporter.h"
#include "supervisor/workers/worker_pool.h"

namespace baokms::supervisor {

// Belongs to the loop's thread.
class Contradictions final {
 public:
  // Both must outlive the object.
  Contradictions(WorkerPool& workers, StatusReporter& reporter)
      : workers_(workers), reporter_(reporter) {}

  Contradictions(const Contradictions&) = delete;
  Contradictions& operator=(const Contradictions&) = delete;

  // Logs that a probe with `worker` failed although `other` says that nothing is wrong, and
  // replaces both, as often as kReplacementsPerSecond allows.
  void Found(const ProbeFailure& failure,
             const WorkerProcess& worker,
             const WorkerProcess& other,
             BootTime now) {
    reporter_.Contradicted(failure, worker.slot, other.slot);
    if (replacements_.Take(now)) {
      workers_.Replace(worker);
      workers_.Replace(other);
    }
  }

 private:
  WorkerPool& workers_;
  StatusReporter& reporter_;
  TokenBucket replacements_{1, kReplacementsPerSecond};
};

}  // namespace baokms::supervisor
