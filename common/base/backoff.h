// Waits between attempts, and every policy for them in this project. Each policy has its reason.

#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <span>

#include "common/base/clock.h"

namespace baokms {

// How the waits grow. The spans of all policies refer to constants of this file.
struct BackoffPolicy {
  std::span<const BootTime> initial;  // the first waits, in order; at least one
  int factor = 1;                     // any further wait is this multiple of the one before it
  BootTime maximum{};                 // of a wait, including its jitter
  double jitter = 0;                  // the share by which a wait is shortened or lengthened

  // Returns the same policy with a maximum of at most `longest`.
  [[nodiscard]] constexpr BackoffPolicy LimitedTo(BootTime longest) const {
    return {initial, factor, longest < maximum ? longest : maximum, jitter};
  }
};

// The waits of one sequence of failures.
class Backoff final {
 public:
  explicit Backoff(const BackoffPolicy& policy) : policy_(policy) {}

  // Returns the next wait. `random` is from [0, 1); one half leaves out the jitter.
  [[nodiscard]] BootTime Next(double random = 0.5);

  // Starts again with the first wait.
  void Reset();

  // Returns the number of waits since the last Reset().
  [[nodiscard]] std::size_t count() const { return count_; }

 private:
  BackoffPolicy policy_;
  BootTime last_{};
  std::size_t count_ = 0;
};

// Returns `duration` multiplied by `factor`.
[[nodiscard]] BootTime Scaled(BootTime duration, double factor);

// Returns a random number from [0, 1) of the kernel, or one half when it has none yet: jitter is an
// optimisation, not worth failing for.
[[nodiscard]] double UniformRandom();

namespace backoff {

using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;

// A child that ended without having served, or too often (ipc::kPromptRestarts). It is tried again
// soon, because the cause is usually a shortage that passes, but without occupying a core.
inline constexpr std::array<BootTime, 2> kFirstRestarts = {BootTime::zero(), milliseconds(50)};
inline constexpr BackoffPolicy kChildRestart{kFirstRestarts, 2, seconds(5)};

// A login or renewal that failed (docs/contract.md#token-lifetime). OpenBao is asked at least once
// a minute, so that a token returns soon after an outage; the jitter keeps workers and nodes apart.
inline constexpr std::array<BootTime, 1> kFirstLogin = {seconds(1)};
inline constexpr BackoffPolicy kLogin{kFirstLogin, 2, minutes(1), 0.25};

// The time between logins that replace rejected tokens (docs/contract.md#token-lifetime): a new
// token does not help when a policy is wrong, and each login is recorded by OpenBao.
inline constexpr std::array<BootTime, 1> kFirstCooldown = {seconds(5)};
inline constexpr BackoffPolicy kRejectedToken{kFirstCooldown, 2, minutes(5)};

// Probes that are repeated before the regular interval (docs/contract.md#probes-and-health): a
// restart of OpenBao is over within seconds, and Status should recover as quickly.
inline constexpr std::array<BootTime, 3> kFirstProbes = {seconds(1), seconds(2), seconds(5)};
inline constexpr BackoffPolicy kProbe{kFirstProbes, 1, seconds(6), 0.2};

// The time for which a circuit breaker stays open (docs/contract.md#probes-and-health).
inline constexpr std::array<BootTime, 1> kFirstTrial = {seconds(30)};
inline constexpr BackoffPolicy kOpenBreaker{kFirstTrial, 1, seconds(36), 0.2};

// Connections are accepted again when a process that has run out of descriptors may have closed
// some. The wait is not noticed by a client, whose own timeout is seconds.
inline constexpr BootTime kAcceptAgain = milliseconds(100);

// READY=1 is sent again to a service manager that does not read its socket at the moment.
inline constexpr BootTime kReadyAgain = milliseconds(500);

// An HTTP request that is repeated once (docs/contract.md#retries): 5 to 50 ms, because the caller
// is waiting, spread because a restarted server receives the requests of all nodes.
inline constexpr std::array<BootTime, 1> kFirstRepeat = {std::chrono::microseconds(27'500)};
inline constexpr BackoffPolicy kHttpRepeat{kFirstRepeat, 1, milliseconds(50), 22.5 / 27.5};

}  // namespace backoff

}  // namespace baokms
