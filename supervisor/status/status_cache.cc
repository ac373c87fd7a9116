#include "supervisor/status/status_cache.h"

#include <algorithm>
#include <chrono>
#include <utility>

namespace baokms::supervisor {
namespace {

// Returns the larger age of the two clocks: one counts while the machine sleeps, the other may be
// set back.
BootTime AgeOf(const StatusView& view, BootTime now, std::int64_t now_unix) {
  return std::max<BootTime>(now - view.metadata_at,
                            std::chrono::seconds(now_unix - view.metadata_at_unix));
}

}  // namespace

bool IsStale(const StatusView& view, BootTime now, std::int64_t now_unix) {
  return view.metadata_at == BootTime::zero() || AgeOf(view, now, now_unix) > view.max_staleness;
}

std::shared_ptr<const StatusView> StatusCache::View() const {
  const std::lock_guard lock(mutex_);
  return view_;
}

Diagnostics StatusCache::Diagnose(BootTime now, std::int64_t now_unix) const {
  std::shared_ptr<const StatusView> view;
  Diagnostics answer;
  {
    const std::lock_guard lock(mutex_);
    view = view_;
    answer = *diagnostics_;
  }
  answer.stale = IsStale(*view, now, now_unix);
  if (view->metadata_at != BootTime::zero()) {
    answer.cache_age_ms =
        std::chrono::duration_cast<std::chrono::milliseconds>(AgeOf(*view, now, now_unix)).count();
  }
  const bool ok = view->health == StatusView::Health::kOk;
  answer.ready = ok && !answer.stale && !view->active_key_id.empty();
  answer.healthz = ok && !answer.stale ? "ok" : "unhealthy";
  // Before the first good read nothing can be stale: metadata_unverified reports that state.
  if (answer.stale && view->metadata_at != BootTime::zero()) {
    answer.reasons = std::move(answer.stale_reasons);
  }
  return answer;
}

void StatusCache::Publish(StatusView view, Diagnostics diagnostics) {
  auto new_view = std::make_shared<const StatusView>(std::move(view));
  auto new_diagnostics = std::make_shared<const Diagnostics>(std::move(diagnostics));
  const std::lock_guard lock(mutex_);
  view_.swap(new_view);
  diagnostics_.swap(new_diagnostics);
}

}  // namespace baokms::supervisor
