// Holds the only state that other threads read: the current view and what /ready reports about it.
// It is replaced as a whole, so no reader sees a partial change.

#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "common/base/clock.h"
#include "supervisor/status/status_source.h"

namespace baokms::supervisor {

// Everything that /ready reports about the key at one moment. Plain data; the HTTP code serialises
// it.
//
// Members as in docs/observability.md#health. Texts come from fixed vocabularies.
struct Diagnostics {
  // True (HTTP 200) if `healthz` is "ok", the view is not stale and there is an active key.
  bool ready = false;
  std::vector<std::string> reasons;        // empty when ready
  std::vector<std::string> stale_reasons;  // replace `reasons` once the metadata is stale
  std::string metadata_error_class;        // empty: omitted
  std::string deep_error_class;            // empty: omitted
  std::string healthz;                     // "ok" or "unhealthy"
  std::int64_t cache_age_ms = 0;           // age of the last good metadata; 0 without any
  bool stale = true;
  std::string rotation_state;         // "unknown", "active" or "pending"
  bool persistence_degraded = false;  // shown only when true
  std::string key_id_hash;            // empty: no active key
  std::uint32_t transit_key_version = 0;
  // Why a change of the registry is deferred: "second_worker_missing" (permanent with a single
  // worker), "workers_disagree", "save_unfinished" or "registry_full". Empty if none is deferred.
  std::string rotation_deferred;
  std::string finding;  // describes a problem with the key's metadata; empty: none
};

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
