// The one place that other threads read: the current view and what /ready says about it. Replaced
// as a whole, so nobody sees half a change.

#pragma once

#include <cstdint>
#include <memory>
#include <mutex>

#include "common/base/clock.h"
#include "supervisor/status/diagnostics.h"
#include "supervisor/status/status_source.h"

namespace baokms::supervisor {

// Callable from any thread. A mutex that is held for one pointer copy, because the lock-free
// shared_ptr of our compilers is a spin lock that race detectors can not follow.
class StatusCache final {
 public:
  StatusCache() = default;
  StatusCache(const StatusCache&) = delete;
  StatusCache& operator=(const StatusCache&) = delete;

  // Never null.
  [[nodiscard]] std::shared_ptr<const StatusView> View() const;

  // The diagnostics with age and staleness as of these times.
  [[nodiscard]] Diagnostics Diagnose(BootTime now, std::int64_t now_unix) const;

  // Swaps both. `diagnostics` holds what does not depend on the time of reading: everything but
  // `ready`, `healthz`, `cache_age_ms` and `stale`, which are set by Diagnose().
  void Publish(StatusView view, Diagnostics diagnostics);

 private:
  mutable std::mutex mutex_;
  std::shared_ptr<const StatusView> view_ = std::make_shared<const StatusView>();
  std::shared_ptr<const Diagnostics> diagnostics_ = std::make_shared<const Diagnostics>();
};

}  // namespace baokms::supervisor
