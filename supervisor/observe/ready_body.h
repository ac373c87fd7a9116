// The bodies of /live and /ready, byte for byte: member names and order are an interface.

#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "supervisor/observe/http_listener.h"

namespace baokms::supervisor {

// One process's verdict, for `isolation.processes`.
struct ProcessVerdict {
  std::string process;
  bool confined = false;  // filter in force, no new privileges, no capabilities
};

// Everything /ready says: the status' diagnostics and what the supervisor adds. Members as in the
// observability reference, sections 1 and 8; an empty text is left out where the reference has "?".
struct ReadyFacts {
  bool ready = false;
  std::vector<std::string> reasons;
  std::string metadata_error_class;
  std::string deep_error_class;
  std::string healthz;
  std::int64_t cache_age_ms = 0;
  bool stale = true;
  std::string rotation_state;
  bool persistence_degraded = false;
  std::string key_id_hash;
  std::uint32_t transit_key_version = 0;
  std::uint32_t workers_ready = 0;
  std::string rotation_deferred;
  std::string finding;
  std::string isolation_level;  // "single-user" or "separate-users"
  std::vector<ProcessVerdict> processes;
};

// {"status":"ok"}
[[nodiscard]] HttpReply LiveReply();

[[nodiscard]] HttpReply ReadyReply(const ReadyFacts& facts);

}  // namespace baokms::supervisor
