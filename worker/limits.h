// Every maximum of a worker, each with its reason. ipc/limits.h bounds the messages on its
// channels, common/openbao/http_limits.h the responses of OpenBao.

#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>

#include "common/base/backoff.h"
#include "common/base/clock.h"
#include "common/openbao/http_limits.h"
#include "ipc/limits.h"

namespace baokms::worker {

// Requests in progress: all that the supervisor may send. Each makes one call to OpenBao at a time,
// or two that read the metadata.
inline constexpr std::size_t kMaxOperations = ipc::kMaxRequests;
static_assert(kMaxOperations <= openbao::kMaxCalls);

// A worker asks for logins at most half as often as the agent accepts.
static_assert(ipc::kLoginRequests.per_second * (1 - backoff::kLogin.jitter) *
                  std::chrono::duration<double>(backoff::kLogin.initial.front()).count() >=
              2);

// The maximum duration of a request, whatever deadline it has. Longer than any reasonable
// openbao.timeout, and short enough to prevent requests from accumulating.
inline constexpr BootTime kMaxOperationDuration = std::chrono::minutes(2);

// Transit answers 403 both for a denied path and for a dead token. The result of a renew-self for a
// token is reused for this long (docs/contract.md#token-lifetime).
inline constexpr BootTime kProbeResultLifetime = std::chrono::seconds(30);

// The login budget covers one minute; a longer wait reported by an agent is an error.
inline constexpr BootTime kMaxBudgetWait = std::chrono::seconds(70);

// After this long without a rejection, the next one counts as the first again.
inline constexpr BootTime kQuietPeriod = std::chrono::minutes(10);

// Workers receive a table before the supervisor switches to it. Requests admitted under the
// previous table arrive until the slowest worker has acknowledged, and then last until their
// deadline.
inline constexpr BootTime kPreviousTableLifetime = std::chrono::seconds(30);

// The minimum and the maximum interval between checks of a token that does not expire.
inline constexpr BootTime kMinCheck = std::chrono::minutes(1);
inline constexpr BootTime kMaxCheck = std::chrono::hours(1);

// Refreshes and checks of tokens are randomised by up to this share, so that workers and nodes do
// not act simultaneously. Back-off has its own policies (common/base/backoff.h).
inline constexpr double kRefreshJitter = 0.25;

// A login that takes longer is considered lost.
inline constexpr BootTime kMaxLoginTimeout = std::chrono::minutes(10);

}  // namespace baokms::worker
