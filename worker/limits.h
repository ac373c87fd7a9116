// Every maximum of a worker, each with its reason. What may travel on its channels is bounded in
// ipc/limits.h, what OpenBao may answer in common/openbao/http_limits.h.

#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>

#include "common/base/clock.h"

namespace baokms::worker {

// Requests in progress. The configuration allows 1,024 of each KMS method; the rest is for
// verifications, probes and metadata, which all may meet on the only worker that is left.
inline constexpr std::size_t kMaxOperations = 2 * 1024 + 1024;

// A request lives at most this long, whatever deadline it names. Above any openbao.timeout that
// makes sense, and far below what could pile up.
inline constexpr BootTime kLongestOperation = std::chrono::minutes(2);

// Transit answers a 403 for a denied path and for a dead token alike. What renew-self said about a
// token is believed for this long (docs/contract.md#token-lifetime).
inline constexpr BootTime kVerdictLife = std::chrono::seconds(30);

// Waits after a failed login or renewal, and between logins that replace rejected tokens
// (docs/contract.md#token-lifetime). Each also ends at TokenTiming::longest_wait.
inline constexpr BootTime kFirstBackoff = std::chrono::seconds(1);
inline constexpr BootTime kLongestBackoff = std::chrono::seconds(60);
inline constexpr BootTime kFirstCooldown = std::chrono::seconds(5);
inline constexpr BootTime kLongestCooldown = std::chrono::minutes(5);

// The login budget counts a minute; an agent that names a longer wait is mistaken.
inline constexpr BootTime kLongestBudgetWait = std::chrono::seconds(70);

// After this long without a rejection the next one is the first again.
inline constexpr BootTime kQuietPeriod = std::chrono::minutes(10);

// A table reaches the workers before the supervisor switches to it. Requests admitted under the
// table before arrive until the slowest worker has acknowledged, and then live for their deadline.
inline constexpr BootTime kStraddle = std::chrono::seconds(30);

// A token that does not expire is looked at this often at least and at most.
inline constexpr BootTime kShortestCheck = std::chrono::minutes(1);
inline constexpr BootTime kLongestCheck = std::chrono::hours(1);

// Waits differ by up to this share, so that workers and nodes do not act together.
inline constexpr double kJitter = 0.25;

// A login that takes longer is not going to come back.
inline constexpr BootTime kLongestLoginTimeout = std::chrono::minutes(10);

}  // namespace baokms::worker
