// Holds the only state that other threads read: the current view and what /ready reports about it.
// It is replaced as a whole, so no reader sees a partial change.

#pragma once

#include <cstdint>
#include <memory>
#include <mutex>

#include "common/base/clock.h"
#include "supervisor/status/diagnostics.h"
#include "supervisor/status/status_source.h"

namespace baokms::supervisor {

// Callable from any thread. Guarded by a mutex that is held for one pointer copy, because
// std::atomic<std::shared_ptr> of the supported compilers is a spin lock that race detectors cannot
// follow.
class StatusCache final {
 public:
  StatusCache() = default;
  StatusCache(const StatusCache&) = delete;
  StatusCache& operator=(const StatusCache&) = delete;

  // Never null.
  [[nodiscard]] std::shared_ptr<const StatusView> View() const;

  // Returns the diagnostics with age and staleness as of these times.
  [[nodiscard]] Diagnostics Diagnose(BootTime now, std::int64_t now_unix) const;

  // Replaces both. `diagnostics` holds what does not depend on the time of reading: everything
  // except `ready`, `healthz`, `cache_age_ms` and `stale`, which Diagnose() sets.
  void Publish(StatusView view, Diagnostics diagnostics);

 private:
  mutable std::mutex mutex_;
  std::shared_ptr<const StatusView> view_ = std::make_shared<const StatusView>();
  std::shared_ptr<const Diagnostics> diagnostics_ = std::make_shared<const Diagnostics>();
};

}  // namespace baokms::supervisor
