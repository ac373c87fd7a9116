// bao-kms-authagent: the only process that reads the credential; logs in to OpenBao and passes
// tokens to workers. Started only by the spawner.

#include <sys/syscall.h>
#include <unistd.h>

#include <memory>
#include <string>
#include <utility>

#include "authagent/agent.h"
#include "authagent/sandbox.h"
#include "common/base/result.h"
#include "common/base/unique_fd.h"
#include "ipc/child_descriptors.h"
#include "ipc/child_process.h"
#include "ipc/child_session.h"
#include "ipc/refused_syscall.h"
#include "ipc/sealed.h"
#include "proto/ipc.pb.h"
#include "proto/setup.pb.h"

namespace baokms::authagent {
namespace {

// The order is security-critical: nothing is received before the filter is installed.
Status Start(ipc::ChildSession& session) {
  const auto setup = BAOKMS_TRY(ipc::OpenSealed<ipc::AgentSetup>(ipc::kSetupDescriptor));
  ipc::ProcFiles proc = BAOKMS_TRY(ipc::BeginChild(LimitsOf(setup)));
  const LandlockState landlock = BAOKMS_TRY(RestrictFiles(setup));
  std::unique_ptr<Agent> agent =
      BAOKMS_TRY(Agent::Prepare(setup, session, UniqueFd(ipc::kSpawnerChannel)));
  BAOKMS_TRY(ipc::ReportRefusedSyscalls(ipc::kSupervisorChannel));
  ipc::ConfinementReport confinement;
  confinement.set_landlock_abi(landlock.abi);
  confinement.set_filter_name(std::string(BAOKMS_TRY(EnterFirstFilter(setup))));
  confinement.set_refused_syscall(BAOKMS_TRY(ipc::ProveRefused(SYS_dup3)));  // the spawner's alone
  // No destructor runs: the kernel releases everything faster, and libcurl's clean-up needs system
  // calls that the filter refuses.
  ::_exit(static_cast<int>(agent->Run(std::move(proc), confinement)));
}

}  // namespace
}  // namespace baokms::authagent

int main(int argument_count, char** /*arguments*/) {
  return baokms::ipc::RunUnlessByHand("bao-kms-authagent", argument_count, [] {
    return baokms::ipc::RunChild(baokms::ipc::ROLE_AUTH_AGENT, baokms::authagent::Start);
  });
}
