// Builds the bodies of /live and /ready. Member names and their order are a public interface.

#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "supervisor/observe/http_listener.h"
#include "supervisor/serve/isolation_body.h"
#include "supervisor/status/status_cache.h"

namespace baokms::supervisor {

// The state of the credential and the tokens. A member without a value is omitted.
struct AuthFacts {
  std::string credential;  // a word of docs/authentication.md#status-words; empty: not known yet
  bool due = false;        // the credential's replacement is overdue
  std::optional<std::int64_t> jwt_ends_in_s{};
  std::optional<std::int64_t> certificate_ends_in_s{};
  std::optional<std::int64_t> token_ends_in_s{};  // of the token that expires first
};

// Everything /ready reports: the diagnostics of the key's status and what the supervisor adds.
// Members as in docs/observability.md#health.
struct ReadyFacts {
  Diagnostics status;
  std::uint32_t workers_ready = 0;
  IsolationReport isolation{};
  AuthFacts auth{};
};

// Returns 200 {"status":"ok"}, or 503 with the names of the stuck threads.
[[nodiscard]] HttpReply LiveReply(const std::vector<std::string_view>& stuck);

[[nodiscard]] HttpReply ReadyReply(const ReadyFacts& facts);

}  // namespace baokms::supervisor
