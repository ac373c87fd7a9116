#include "supervisor/status/breaker.h"

#include "common/base/backoff.h"

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

}  // namespace baokms::supervisor
