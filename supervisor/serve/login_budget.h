// Limits how often the auth agent may log in. Restarts of the agent do not reset the count: it
// counts the connections to OpenBao that are opened for the agent, one for each login. The budget
// keeps OpenBao's audit log from filling up; it is no defence against a compromised agent.

#pragma once

#include <cstddef>
#include <cstdint>
#include <mutex>
#include <utility>

#include "common/base/clock.h"
#include "common/base/minute_window.h"

namespace baokms::supervisor {

// Callable from any thread.
class LoginBudget final {
 public:
  // Identifies a connection: the agent's incarnation and its request's id.
  using Id = std::pair<std::uint64_t, std::uint64_t>;

  // Allows `per_minute` connections in any minute, at least one.
  explicit LoginBudget(std::size_t per_minute) : window_(per_minute) {}

  LoginBudget(const LoginBudget&) = delete;
  LoginBudget& operator=(const LoginBudget&) = delete;
  ~LoginBudget() = default;

  // Returns whether one more connection may be opened now, and counts it if so.
  [[nodiscard]] bool Take(Id id, BootTime now) {
    const std::lock_guard lock(mutex_);
    return window_.Take(now, id);
  }

  // Returns that connection to the budget, because it led to no login: the server did not answer,
  // or OpenBao was sealed.
  void GiveBack(Id id) {
    const std::lock_guard lock(mutex_);
    window_.GiveBack(id);
  }

  // Returns how many connections remain for the current minute.
  [[nodiscard]] std::size_t Remaining(BootTime now) const {
    const std::lock_guard lock(mutex_);
    return window_.Remaining(now);
  }

 private:
  mutable std::mutex mutex_;
  MinuteWindow<Id> window_;  // guarded by mutex_
};

}  // namespace baokms::supervisor
