// Everything that /ready reports about the key at one moment. Plain data; the HTTP code serialises
// it.

#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace baokms::supervisor {

// Members as in docs/observability.md#health. Texts come from fixed vocabularies.
struct Diagnostics {
  // True (HTTP 200) if `healthz` is "ok", the view is not stale and there is an active key.
  bool ready = false;
  std::vector<std::string> reasons;  // empty when ready
  std::string metadata_error_class;  // empty: omitted
  std::string deep_error_class;      // empty: omitted
  std::string healthz;               // "ok" or "unhealthy"
  std::int64_t cache_age_ms = 0;     // age of the last good metadata; 0 without any
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

}  // namespace baokms::supervisor
