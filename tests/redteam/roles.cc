#include "tests/redteam/roles.h"

#include <cerrno>
#include <optional>

#include "authagent/sandbox.h"
#include "common/base/result.h"
#include "common/base/seccomp_policy.h"
#include "ipc/child_descriptors.h"
#include "proto/setup.pb.h"
#include "supervisor/serve/sandbox.h"
#include "supervisor/spawner/sandbox.h"
#include "worker/sandbox.h"

namespace baokms {
namespace {

Status EnterSpawnerOf(const std::optional<ipc::ModuleAccess>& module) {
  ipc::SpawnerSetup setup;
  if (module) {
    *setup.mutable_module() = *module;
  }
  SeccompPolicy policy = BAOKMS_TRY(supervisor::BuildSpawnerPolicy(setup));
  return policy.Install();
}

Status EnterSpawner() {
  return EnterSpawnerOf(std::nullopt);
}

Status EnterSpawnerWithModule() {
  return EnterSpawnerOf(ipc::ModuleAccess());
}

// The thread of a PKCS#11 module that may use neither the network nor files of its own.
Status EnterModule() {
  SeccompPolicy policy = BAOKMS_TRY(
      authagent::BuildModulePolicy(ipc::ModuleAccess(), authagent::ModuleStage::kServing));
  return policy.Install();
}

Status EnterSupervisor() {
  return supervisor::EnterSupervisorSandbox(supervisor::ListenerRights::kBindKmsSocket);
}

// Also the program that reads etcd.
Status EnterSupervisorOfUnit() {
  return supervisor::EnterSupervisorSandbox(supervisor::ListenerRights::kNone);
}

}  // namespace

std::vector<Role> AllRoles() {
  return {{"worker", worker::EnterSandbox, true},
          {"agent", authagent::EnterSandbox, true},
          {"module", EnterModule, true},
          {"spawner", EnterSpawner, true},
          {"spawner_with_module", EnterSpawnerWithModule, true},
          {"supervisor", EnterSupervisor, false},
          {"supervisor_of_unit", EnterSupervisorOfUnit, false}};
}

std::string NameOfRole(const testing::TestParamInfo<Role>& info) {
  return info.param.name;
}

void RedTeamTest::ExpectRefusedCall(const ChildOutcome& outcome, int syscall) {
  if (!GetParam().ends_on_refusal) {
    EXPECT_EQ(outcome.error, EPERM) << Describe(outcome);
    return;
  }
  ChildOutcome expected;
  expected.wait_status = static_cast<int>(ipc::ExitCode::kRefusedSyscall) << 8;
  expected.refused_call = static_cast<std::uint32_t>(syscall);
  EXPECT_EQ(Describe(outcome), Describe(expected));
}

void RedTeamTest::ExpectRefused(const Attempt& attempt, int syscall) {
  EXPECT_EQ(Describe(RunFree(attempt)), "did it") << "outside the filter";
  ExpectRefusedCall(RunConfined(GetParam().enter, attempt), syscall);
}

}  // namespace baokms
