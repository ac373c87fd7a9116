#include "supervisor/serve/bootstrap.h"

#include <sys/prctl.h>

#include <cerrno>
#include <csignal>
#include <memory>
#include <utility>

#include "common/base/error.h"
#include "common/base/process.h"
#include "common/base/result.h"
#include "supervisor/children/start_spawner.h"
#include "supervisor/serve/pin_attempt_guard.h"
#include "supervisor/serve/privileges.h"
#include "supervisor/serve/set_ups.h"

namespace baokms::supervisor {
namespace {

Status GiveUpPrivileges() {
  BAOKMS_TRY(HardenSelf());
  // Orphaned grandchildren become children of this process.
  if (::prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0) {
    return Error(ErrorCode::kSystem, "prctl(PR_SET_CHILD_SUBREAPER)", errno);
  }
  BAOKMS_TRY(DropCapabilities());

  struct sigaction ignore {};

  ignore.sa_handler = SIG_IGN;
  if (::sigaction(SIGPIPE, &ignore, nullptr) != 0) {
    return Error(ErrorCode::kSystem, "sigaction(SIGPIPE)", errno);
  }
  return {};
}

}  // namespace

std::variant<BootstrapResult, StartFailure> Bootstrap(const ServeOptions& options) {
  std::unique_ptr<PinAttemptGuard> pin_attempt_guard;
  if (options.config.auth.method == AuthMethod::kCert) {
    auto failure = TakeOrFail("open the PIN latch in the state directory",
                              PinAttemptGuard::Open(options.config.state.path), pin_attempt_guard);
    if (failure) {
      return *std::move(failure);
    }
  }
  Result<SealedSetUps> set_ups =
      SealSetUps(options, pin_attempt_guard ? pin_attempt_guard->salt() : "");
  if (!set_ups) {
    return ConfigFailure("hand the configuration to the child processes", set_ups.error());
  }
  if (const Status given_up = GiveUpPrivileges(); !given_up) {
    return Failure("give up privileges", given_up.error());
  }
  Result<UniqueFd> spawner = StartSpawner(std::move(set_ups->inputs));
  if (!spawner) {
    return Failure("start the spawner", spawner.error());
  }
  return BootstrapResult{.spawner_channel = std::move(*spawner),
                         .endpoints = std::move(set_ups->endpoints),
                         .openbao_endpoints = set_ups->openbao_endpoints,
                         .pin_attempt_guard = std::move(pin_attempt_guard)};
}

}  // namespace baokms::supervisor
