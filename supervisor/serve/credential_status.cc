#include "supervisor/serve/credential_status.h"

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/clock.h"
#include "proto/ipc.pb.h"
#include "supervisor/observe/label_names.h"
#include "supervisor/serve/ready_body.h"
#include "supervisor/workers/worker_pool.h"

namespace baokms::supervisor {

void CredentialStatus::Note(const ipc::AgentStatus& status) {
  const std::lock_guard lock(mutex_);
  status_ = std::string(AuthStatusLabel(status.credential_status()));
  ends_unix_ = status.credential_ends_unix();
  due_unix_ = status.credential_due_unix();
}

CredentialFacts CredentialStatus::Read(std::int64_t now_unix) const {
  const std::lock_guard lock(mutex_);
  CredentialFacts facts;
  facts.status = status_;
  facts.ends = ends_unix_ != 0;
  facts.ends_in_s = facts.ends ? ends_unix_ - now_unix : 0;
  facts.due = due_unix_ != 0 && now_unix >= due_unix_;
  return facts;
}

AuthVerdict ClassifyAuth(std::string_view method,
                         const CredentialFacts& credential,
                         const std::vector<WorkerState>& workers) {
  AuthVerdict verdict{.credential = credential.status, .due = credential.due};
  if (credential.ends) {
    (method == "cert" ? verdict.certificate_ends_in_s : verdict.jwt_ends_in_s) =
        credential.ends_in_s;
  }
  std::optional<BootTime> end;
  for (const WorkerState& worker : workers) {
    if (worker.token_usable && worker.token_expires) {
      end = std::min(end.value_or(*worker.token_expires), *worker.token_expires);
    }
  }
  if (end) {
    const BootTime left = std::max(*end - BootNow(), BootTime::zero());
    verdict.token_ends_in_s = std::chrono::floor<std::chrono::seconds>(left).count();
  }
  return verdict;
}

}  // namespace baokms::supervisor
