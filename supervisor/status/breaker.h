// Keeps a probe from hammering an OpenBao that does not answer: closed, open for a while after
// three counted failures in a row, half-open for one trial. One per kind of probe; KMS requests
// neither feed nor consult it (docs/contract.md#probes-and-health).

#pragma once

#include <cstdint>

#include "common/base/clock.h"
#include "supervisor/status/scheduler.h"

namespace baokms::supervisor {

class Breaker final {
 public:
  // `scheduler` gives the jitter and must outlive the object.
  explicit Breaker(Scheduler& scheduler) : scheduler_(scheduler) {}

  Breaker(const Breaker&) = delete;
  Breaker& operator=(const Breaker&) = delete;

  enum class Phase : std::uint8_t { kClosed, kOpen, kHalfOpen };

  // Whether a probe may run now; an open breaker whose time is over becomes half-open. Each `true`
  // is followed by Succeeded() or Failed().
  [[nodiscard]] bool Allows();

  void Succeeded();

  // Quick repeats of a failed probe are not counted. In the half-open phase any failure opens
  // again.
  enum class Counted : std::uint8_t { kNo, kYes };
  void Failed(Counted counted);

  // There is a sign that OpenBao answers again: an open breaker allows its trial now.
  void AllowTrial();

  [[nodiscard]] Phase phase() const { return phase_; }

 private:
  void Open();

  Scheduler& scheduler_;
  Phase phase_ = Phase::kClosed;
  int failures_ = 0;
  BootTime open_until_{};
};

}  // namespace baokms::supervisor
