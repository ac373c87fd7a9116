// Every maximum of a worker, each with its reason. ipc/limits.h bounds the messages on its
// channels, common/openbao/http_limits.h the responses of OpenBao.

#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>

#include "common/base/clock.h"

namespace baokms::worker {

// Requests in progress. The configuration allows 1,024 of each KMS method; the remainder is for
// verifications, probes and metadata reads, all of which may reach the only remaining worker.
inline constexpr std::size_t kMaxOperations = 2 * 1024 + 1024;

// The maximum duration of a request, whatever deadline it has. Longer than any reasonable
// openbao.timeout, and short enough to prevent requests from accumulating.
inline constexpr BootTime kMaxOperationDuration = std::chrono::minutes(2);

// Transit answers 403 both for a denied path and for a dead token. The result of a renew-self for a
// token is reused for this long (docs/contract.md#token-lifetime).
inline constexpr BootTime kProbeResultLifetime = std::chrono::seconds(30);

// Waits after a failed login or renewal, and between logins that replace rejected tokens
// (docs/contract.md#token-lifetime). TokenTiming::longest_wait also limits each of them.
inline constexpr BootTime kFirstBackoff = std::chrono::seconds(1);
inline constexpr BootTime kMaxBackoff = std::chrono::seconds(60);
inline constexpr BootTime kFirstCooldown = std::chrono::seconds(5);
inline constexpr BootTime kMaxCooldown = std::chrono::minutes(5);

// The login budget covers one minute; a longer wait reported by an agent is an error.
inline constexpr BootTime kMaxBudgetWait = std::chrono::seconds(70);

// After this long without a rejection, the next one counts as the first again.
inline constexpr BootTime kQuietPeriod = std::chrono::minutes(10);

// Workers receive a table before the supervisor switches to it. Requests admitted under the
// previous table arrive until the slowest worker has acknowledged, and then last until their
// deadline.
inline constexpr BootTime kPreviousTableLifetime = std::chrono::seconds(30);

// The shortest and the longest interval between checks of a token that does not expire.
inline constexpr BootTime kShortestCheck = std::chrono::minutes(1);
inline constexpr BootTime kMaxCheck = std::chrono::hours(1);

// Waits are randomised by up to this share, so that workers and nodes do not act simultaneously.
inline constexpr double kJitter = 0.25;

// A login that takes longer is considered lost.
inline constexpr BootTime kMaxLoginTimeout = std::chrono::minutes(10);

}  // namespace baokms::worker
