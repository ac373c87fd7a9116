// The auth agent's latest report about its credential, for readers on other threads: /ready and the
// metrics. It decides nothing.

#pragma once

#include <cstdint>
#include <mutex>
#include <string>
#include <vector>

#include "proto/ipc.pb.h"
#include "supervisor/config/config.h"
#include "supervisor/serve/ready_body.h"
#include "supervisor/workers/worker_pool.h"

namespace baokms::supervisor {

class CredentialStatus final {
 public:
  explicit CredentialStatus(AuthMethod method) : method_(method) {}

  CredentialStatus(const CredentialStatus&) = delete;
  CredentialStatus& operator=(const CredentialStatus&) = delete;
  ~CredentialStatus() = default;

  void Note(const ipc::AgentStatus& status);

  // Returns what /ready and the metrics report about the credential, and about the token of
  // `workers` that expires first.
  [[nodiscard]] AuthFacts Read(const std::vector<WorkerState>& workers,
                               std::int64_t now_unix) const;

 private:
  const AuthMethod method_;
  mutable std::mutex mutex_;
  std::string status_;          // guarded by mutex_, as are the next two
  std::int64_t ends_unix_ = 0;  // 0: not known
  std::int64_t due_unix_ = 0;   // 0: never
};

}  // namespace baokms::supervisor
