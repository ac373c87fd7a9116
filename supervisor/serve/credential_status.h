// What the auth agent last said of its credential, for those who ask from other threads: /ready
// and the metrics. Nothing here decides anything.

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

// How a credential stands at one moment.
struct CredentialFacts {
  std::string status;  // the word of docs/authentication.md#status-words; empty: not known yet
  std::int64_t ends_in_s = 0;  // negative: it ended; only when `ends`
  bool ends = false;           // its end is known
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

// What /ready and the metrics say of it, and of the token that ends first. `method` is auth.method.
[[nodiscard]] AuthVerdict ClassifyAuth(std::string_view method,
                                       const CredentialFacts& credential,
                                       const std::vector<WorkerState>& workers);

}  // namespace baokms::supervisor
