#include "supervisor/status/retry_plan.h"

namespace baokms::supervisor {

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
