// The state of a credential or of a login, with its reason.

#pragma once

#include <string>

#include "ipc/auth_status.h"

namespace baokms::authagent {

using ipc::AuthStatus;

// A status with its reason, which may name a claim and durations, but never the value of a claim.
struct Finding {
  AuthStatus status = AuthStatus::kError;
  std::string reason;

  friend bool operator==(const Finding&, const Finding&) = default;
};

}  // namespace baokms::authagent
