#include "supervisor/status/probe_schedule.h"

namespace baokms::supervisor {
namespace {

constexpr int kFailuresToOpen = 3;

}  // namespace

bool Breaker::Allows() {
  if (phase_ == Phase::kOpen && scheduler_.Now() >= open_until_) {
    phase_ = Phase::kHalfOpen;
  }
  return phase_ != Phase::kOpen;
}

void Breaker::Succeeded() {
  phase_ = Phase::kClosed;
  failures_ = 0;
}

void Breaker::Failed(Counted counted) {
  if (phase_ == Phase::kHalfOpen) {
    Open();
  } else if (counted == Counted::kYes && ++failures_ >= kFailuresToOpen) {
    Open();
  }
}

void Breaker::AllowTrial() {
  open_until_ = BootTime::zero();
}

void Breaker::Open() {
  phase_ = Phase::kOpen;
  failures_ = 0;
  open_until_ = scheduler_.Now() + Backoff(backoff::kOpenBreaker).Next(scheduler_.Random());
}

BootTime RetryPlan::AfterSuccess() {
  quick_.Reset();
  succeeded_once_ = true;
  return intervals_.regular;
}

BootTime RetryPlan::AfterFailure() {
  const BootTime wait = quick_.Next(scheduler_.Random());
  if (NextIsQuick()) {
    return wait;
  }
  return succeeded_once_ ? intervals_.regular : intervals_.until_first_success;
}

bool RetryPlan::NextIsQuick() const {
  return quick_.count() >= 1 && quick_.count() <= backoff::kProbe.initial.size();
}

}  // namespace baokms::supervisor
