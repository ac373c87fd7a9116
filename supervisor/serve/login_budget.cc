#include "supervisor/serve/login_budget.h"

#include <cstddef>
#include <mutex>

#include "common/base/clock.h"

namespace baokms::supervisor {

bool LoginBudget::Take(Id id, BootTime now) {
  const std::lock_guard lock(mutex_);
  return window_.Take(now, id);
}

void LoginBudget::GiveBack(Id id) {
  const std::lock_guard lock(mutex_);
  window_.GiveBack(id);
}

std::size_t LoginBudget::Remaining(BootTime now) const {
  const std::lock_guard lock(mutex_);
  return window_.Remaining(now);
}

}  // namespace baokms::supervisor
