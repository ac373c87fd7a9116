#include "supervisor/serve/bootstrap.h"

#include <sys/prctl.h>
#include <unistd.h>

#include <csignal>
#include <string>
#include <utility>

#include "common/base/process.h"
#include "common/base/result.h"
#include "supervisor/config/auth_method.h"
#include "supervisor/serve/helper_programs.h"
#include "supervisor/serve/set_ups.h"
#include "supervisor/serve/user_plan.h"

namespace baokms::supervisor {
namespace {

// A change of the user undoes a part of the hardening.
Status Confine(const UserPlan& plan) {
  BAOKMS_TRY(HardenSelf());
  BAOKMS_TRY(EnterPlan(plan));
  BAOKMS_TRY(HardenSelf());
  // Orphaned grandchildren become children of this process.
  BAOKMS_TRY(
      CheckSyscall(::prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0), "prctl(PR_SET_CHILD_SUBREAPER)"));

  struct sigaction ignore {};

  ignore.sa_handler = SIG_IGN;
  return CheckSyscall(::sigaction(SIGPIPE, &ignore, nullptr), "sigaction(SIGPIPE)");
}

}  // namespace

Started<BootstrapResult> Bootstrap(const ServeOptions& options) {
  BootstrapResult result;
  const UserPlan plan = BAOKMS_TRY(PlanUsers(options.config));
  BAOKMS_TRY(Step("give up privileges", Confine(plan)));
  const ChildUsers* users = plan.children ? &*plan.children : nullptr;
  result.isolation.level = users ? IsolationLevel::kSeparateUsers : IsolationLevel::kSingleUser;
  result.isolation.why_single = plan.why_single;
  const HelperPrograms programs = BAOKMS_TRY(FindHelperPrograms(::geteuid()));
  result.isolation.helpers_readable = programs.readable;
  std::string pin_salt;
  if (TraitsOf(options.config.auth.method).key_in_module) {
    result.pin_attempt_guard = BAOKMS_TRY(Step("open the PIN latch in the state directory",
                                               PinAttemptGuard::Open(options.config.state.path)));
    pin_salt = result.pin_attempt_guard->salt();
  }
  SealedSetUps set_ups = BAOKMS_TRY(Step("hand the configuration to the child processes",
                                         SealSetUps(options, pin_salt, users, programs.readable),
                                         kConfigurationFailed));
  result.spawner =
      BAOKMS_TRY(Step("start the spawner", StartSpawner(std::move(set_ups.inputs), programs)));
  // From here on only the spawner can change its user.
  BAOKMS_TRY(Step("give up privileges", DropCapabilities()));
  result.endpoints = std::move(set_ups.endpoints);
  result.openbao_endpoints = set_ups.openbao_endpoints;
  return result;
}

}  // namespace baokms::supervisor
