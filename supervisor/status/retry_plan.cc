#include "supervisor/status/retry_plan.h"

#include <array>
#include <chrono>

namespace baokms::supervisor {
namespace {

constexpr std::array<BootTime, 3> kQuickRepeats = {std::chrono::seconds(1), std::chrono::seconds(2),
                                                   std::chrono::seconds(5)};

}  // namespace

BootTime RetryPlan::AfterSuccess() {
  failures_ = 0;
  succeeded_once_ = true;
  return intervals_.regular;
}

BootTime RetryPlan::AfterFailure() {
  if (failures_ < kQuickRepeats.size()) {
    return scheduler_.Jitter(kQuickRepeats[failures_++]);
  }
  failures_ = kQuickRepeats.size() + 1;
  return succeeded_once_ ? intervals_.regular : intervals_.until_first_success;
}

bool RetryPlan::NextIsQuick() const {
  return failures_ >= 1 && failures_ <= kQuickRepeats.size();
}

}  // namespace baokms::supervisor
