// The bodies of /live and /ready, byte for byte: member names and order are an interface.

#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "supervisor/observe/http_listener.h"

namespace baokms::supervisor {

// One process's verdict, for `isolation.processes`.
struct ProcessVerdict {
  std::string process;
  bool confined = false;  // filter in force, no new privileges, no capabilities
};

// How the credential and the tokens stand. A member without a value is left out.
struct AuthVerdict {
  std::string credential;  // the word of docs/authentication.md#status-words; empty: not known yet
  bool due = false;        // the credential's replacement is overdue
  std::optional<std::int64_t> jwt_ends_in_s{};
  std::optional<std::int64_t> certificate_ends_in_s{};
  std::optional<std::int64_t> token_ends_in_s{};  // of the token that ends first
};

// Everything /ready says: the status' diagnostics and what the supervisor adds. Members as in the
// docs/observability.md#health; an empty text is left out where the reference has "?".
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
  AuthVerdict auth{};
};

// {"status":"ok"}
[[nodiscard]] HttpReply LiveReply();

[[nodiscard]] HttpReply ReadyReply(const ReadyFacts& facts);

}  // namespace baokms::supervisor
