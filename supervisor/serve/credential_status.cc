#include "supervisor/serve/credential_status.h"

#include <algorithm>
#include <chrono>
#include <optional>

#include "common/base/clock.h"
#include "supervisor/config/auth_method.h"
#include "supervisor/observe/label_names.h"

namespace baokms::supervisor {

void CredentialStatus::Note(const ipc::AgentStatus& status) {
  const std::lock_guard lock(mutex_);
  status_ = std::string(AuthStatusLabel(status.credential_status()));
  ends_unix_ = status.credential_ends_unix();
  due_unix_ = status.credential_due_unix();
}

AuthFacts CredentialStatus::Read(const std::vector<WorkerState>& workers,
                                 std::int64_t now_unix) const {
  AuthFacts facts;
  {
    const std::lock_guard lock(mutex_);
    facts.credential = status_;
    facts.due = due_unix_ != 0 && now_unix >= due_unix_;
    if (ends_unix_ != 0) {
      (TraitsOf(method_).key_in_module ? facts.certificate_ends_in_s : facts.jwt_ends_in_s) =
          ends_unix_ - now_unix;
    }
  }
  std::optional<BootTime> end;
  for (const WorkerState& worker : workers) {
    if (worker.token_usable && worker.token_expires) {
      end = std::min(end.value_or(*worker.token_expires), *worker.token_expires);
    }
  }
  if (end) {
    const BootTime left = std::max(*end - BootNow(), BootTime::zero());
    facts.token_ends_in_s = std::chrono::floor<std::chrono::seconds>(left).count();
  }
  return facts;
}

}  // namespace baokms::supervisor
