#include "supervisor/serve/login_budget.h"

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <mutex>

#include "common/base/clock.h"

namespace baokms::supervisor {
namespace {

constexpr BootTime kWindow = std::chrono::minutes(1);

}  // namespace

bool LoginBudget::Take(Id id, BootTime now) {
  const std::lock_guard lock(mutex_);
  while (!taken_.empty() && taken_.front().at + kWindow <= now) {
    taken_.pop_front();
  }
  if (taken_.size() >= limit_) {
    return false;
  }
  taken_.push_back({id, now});
  return true;
}

void LoginBudget::GiveBack(Id id) {
  const std::lock_guard lock(mutex_);
  std::erase_if(taken_, [&](const Taken& taken) { return taken.id == id; });
}

std::size_t LoginBudget::Remaining(BootTime now) const {
  const std::lock_guard lock(mutex_);
  const auto used =
      std::ranges::count_if(taken_, [&](const Taken& taken) { return taken.at + kWindow > now; });
  return limit_ - static_cast<std::size_t>(used);
}

}  // namespace baokms::supervisor
