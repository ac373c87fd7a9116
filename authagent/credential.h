// The credential that the agent logs in with, as an interface: a login does not depend on the auth
// method. A credential never logs in by itself.

#pragma once

#include <unistd.h>

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "authagent/auth_status.h"
#include "authagent/secret_file.h"
#include "common/base/clock.h"
#include "common/base/error.h"
#include "common/base/result.h"
#include "common/openbao/api.h"
#include "common/openbao/connector.h"
#include "ipc/child_descriptors.h"
#include "ipc/child_session.h"
#include "proto/ipc.pb.h"
#include "proto/setup.pb.h"

namespace baokms::authagent {

// A credential in the form that one login needs.
struct Acquired {
  Finding finding;
  std::int64_t ends_unix = 0;     // when it expires; 0: unknown, or each login obtains a new one
  std::int64_t due_unix = 0;      // a replacement is overdue from this time on; 0: never
  openbao::LoginRequest request;  // valid only if finding.status is kOk
};

// Returns a credential that cannot be used, with the reason.
[[nodiscard]] inline Acquired Unusable(AuthStatus status, std::string_view reason) {
  Acquired acquired;
  acquired.finding = {status, std::string(reason)};
  return acquired;
}

// Returns where the credential file `path` of `setup` is.
[[nodiscard]] inline SecretPlace PlaceOf(const ipc::AgentSetup& setup, const std::string& path) {
  return {.path = path,
          .own_user = ::geteuid(),
          .opened = setup.credential_opened() ? ipc::kCredentialDescriptor : -1};
}

// What a credential may use of its process, from Credential::Start() on. The references must
// outlive the credential.
struct CredentialHost {
  ipc::ChildSession& session;
  openbao::Connector& connector;
  std::function<Status()> confine;  // vendor code has opened everything: install the narrow filter
  std::function<void()> changed;    // Acquire() would now answer differently
};

// Must be used on the loop's thread only.
class Credential {
 public:
  Credential() = default;
  Credential(const Credential&) = delete;
  Credential& operator=(const Credential&) = delete;
  virtual ~Credential() = default;

  // Called once, when the loop runs and the agent may send messages.
  virtual void Start() {}

  // Handles the supervisor's answer to a PinAttemptBegin. kProtocolViolation: it was not requested.
  virtual Status OnPinAnswer(ipc::PinAttemptAnswer::Verdict /*verdict*/) {
    return Error(ErrorCode::kProtocolViolation, "PinAttemptAnswer without a question");
  }

  // Obtains the current credential and checks it. `done` is called exactly once, on the loop's
  // thread and at `deadline` at the latest; possibly before Acquire() returns.
  virtual void Acquire(BootTime deadline, std::function<void(Acquired)> done) = 0;

  // Returns whether the credential has been replaced since the last Acquire(). Cheap; called every
  // few seconds.
  [[nodiscard]] virtual bool Replaced() const = 0;
};

}  // namespace baokms::authagent
