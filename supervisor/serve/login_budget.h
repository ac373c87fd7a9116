// How often the auth agent may log in, counted where a restart of the agent is not seen: by the
// connections to OpenBao that are made for it, a new one for each login. It keeps OpenBao's audit
// log from filling; it is no defence against an agent that was taken over.

#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <mutex>
#include <utility>

#include "common/base/clock.h"

namespace baokms::supervisor {

// Callable from any thread.
class LoginBudget final {
 public:
  // Which connection: the agent's incarnation and its request's id.
  using Id = std::pair<std::uint64_t, std::uint64_t>;

  // `per_minute` connections in any minute; at least one.
  explicit LoginBudget(std::size_t per_minute) : limit_(per_minute == 0 ? 1 : per_minute) {}

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
  struct Taken {
    Id id;
    BootTime at;
  };

  const std::size_t limit_;
  mutable std::mutex mutex_;
  std::deque<Taken> taken_;  // guarded by mutex_; at most limit_
};

}  // namespace baokms::supervisor
