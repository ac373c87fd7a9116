// How often the auth agent may log in, counted where a restart of the agent is not seen: by the
// connections to OpenBao that are made for it, a new one for each login. It keeps OpenBao's audit
// log from filling; it is no defence against an agent that was taken over.

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
  // Which connection: the agent's incarnation and its request's id.
  using Id = std::pair<std::uint64_t, std::uint64_t>;

  // `per_minute` connections in any minute; at least one.
  explicit LoginBudget(std::size_t per_minute) : window_(per_minute) {}

  LoginBudget(const LoginBudget&) = delete;
  LoginBudget& operator=(const LoginBudget&) = delete;
  ~LoginBudget() = default;

  // Whether one more connection may be made now; it is counted then.
  [[nodiscard]] bool Take(Id id, BootTime now);

  // That connection led to no login: nobody answered there, or OpenBao was sealed.
  void GiveBack(Id id);

  // What is left of this minute's.
  [[nodiscard]] std::size_t Remaining(BootTime now) const;

 private:
  mutable std::mutex mutex_;
  MinuteWindow<Id> window_;  // guarded by mutex_
};

}  // namespace baokms::supervisor
