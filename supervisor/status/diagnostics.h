// Everything /ready says about the key, as of one moment. Plain data; the HTTP side writes it out.

#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace baokms::supervisor {

// Members as in docs/observability.md#health. Texts come from fixed vocabularies.
struct Diagnostics {
  // Ready means: healthz is "ok", not stale, and there is an active key. HTTP 200.
  bool ready = false;
  std::vector<std::string> reasons;  // empty when ready
  std::string metadata_error_class;  // empty: left out
  std::string deep_error_class;      // empty: left out
  std::string healthz;               // "ok" or "unhealthy"
  std::int64_t cache_age_ms = 0;     // of the last good metadata; 0 when there was none
  bool stale = true;
  std::string rotation_state;         // "unknown", "active" or "pending"
  bool persistence_degraded = false;  // shown only when true
  std::string key_id_hash;            // empty: no active key
  std::uint32_t transit_key_version = 0;
  // Why a change of the registry waits: "second_worker_missing" (with one worker for ever),
  // "workers_disagree" or "save_unfinished". Empty: nothing waits.
  std::string rotation_deferred;
  std::string finding;  // in words, what is wrong with the key's metadata; empty: nothing
};

}  // namespace baokms::supervisor
