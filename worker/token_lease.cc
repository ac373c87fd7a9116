#include "worker/token_lease.h"

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <optional>

#include "common/base/clock.h"
#include "ipc/limits.h"

namespace baokms::worker {

TokenLease::TokenLease(Instant obtained, std::int64_t seconds)
    : obtained_(obtained),
      length_(std::chrono::seconds(
          std::clamp<std::int64_t>(seconds, std::int64_t{0}, ipc::kMaxLeaseSeconds))) {
}

std::optional<BootTime> TokenLease::Remaining(Instant now) {
  if (!expires()) {
    return std::nullopt;
  }
  age_ = std::max({age_, now.boot - obtained_.boot, now.wall - obtained_.wall});
  return std::max(length_ - age_, BootTime::zero());
}

}  // namespace baokms::worker
