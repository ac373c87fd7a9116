// The auth agent's latest report about its credential, for readers on other threads: /ready and the
// metrics. It decides nothing.

#pragma once

#include <cstdint>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "proto/ipc.pb.h"
#include "supervisor/serve/ready_body.h"
#include "supervisor/workers/worker_pool.h"

namespace baokms::supervisor {

// The state of a credential at one moment.
struct CredentialFacts {
  std::string status;  // a word of docs/authentication.md#status-words; empty: not known yet
  std::int64_t ends_in_s = 0;  // negative once it has ended; valid only if `ends`
  bool ends = false;           // whether its end is known
  bool due = false;            // its replacement is overdue
};

class CredentialStatus final {
 public:
  CredentialStatus() = default;
  CredentialStatus(const CredentialStatus&) = delete;
  CredentialStatus& operator=(const CredentialStatus&) = delete;
  ~CredentialStatus() = default;

  void Note(const ipc::AgentStatus& status);

  [[nodiscard]] CredentialFacts Read(std::int64_t now_unix) const;

 private:
  mutable std::mutex mutex_;
  std::string status_;          // guarded by mutex_, as are the next two
  std::int64_t ends_unix_ = 0;  // 0: not known
  std::int64_t due_unix_ = 0;   // 0: never
};

// Returns what /ready and the metrics report about the credential and about the token that expires
// first. `method` is auth.method.
[[nodiscard]] AuthVerdict ClassifyAuth(std::string_view method,
                                       const CredentialFacts& credential,
                                       const std::vector<WorkerState>& workers);

}  // namespace baokms::supervisor
