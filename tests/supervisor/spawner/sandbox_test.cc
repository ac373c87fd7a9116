// Enters the spawner's real filter in a forked child: what it must be able to do, and what neither
// it nor any program below it may.

#include "supervisor/spawner/sandbox.h"

#include <sys/syscall.h>
#include <sched.h>
#include <seccomp.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>

#include <gtest/gtest.h>

#include "authagent/sandbox.h"
#include "common/base/result.h"
#include "ipc/refused_syscall.h"
#include "tests/base/deeds.h"
#include "tests/base/filtered_child.h"
#include "worker/sandbox.h"

namespace baokms::supervisor {
namespace {

Status EnterSpawnerSandbox() {
  SeccompPolicy policy = BAOKMS_TRY(BuildSpawnerPolicy({}));
  return policy.Install();
}

TEST(SpawnerSandboxTest, StartsProgramsFromDescriptors) {
  ExpectAllowed(EnterSpawnerSandbox, ForkAndWait);
  ExpectAllowed(EnterSpawnerSandbox, ExecuteDescriptor);
}

TEST(SpawnerSandboxTest, StartsNoProgramByItsPath) {
  ExpectReported(EnterSpawnerSandbox, ExecuteProgram, SCMP_SYS(execve));
}

TEST(SpawnerSandboxTest, ForksIntoNoNewNamespace) {
  const Attempt attempt = [] {
    return CloneAndWait(CLONE_NEWUSER);
  };
  if (Describe(RunFree(attempt)) != "did it") {
    GTEST_SKIP() << "user namespaces are switched off here: " << Describe(RunFree(attempt));
  }
  ExpectReported(EnterSpawnerSandbox, attempt, SCMP_SYS(clone));
}

TEST(SpawnerSandboxTest, ReadsFilesAndChangesNone) {
  ExpectAllowed(EnterSpawnerSandbox, ReadFile);
  ExpectReported(EnterSpawnerSandbox, OpenForWriting, SCMP_SYS(openat));
  ExpectReported(EnterSpawnerSandbox, CreateFile, SCMP_SYS(openat));
  ExpectReported(EnterSpawnerSandbox, CreateMemoryFile, SCMP_SYS(memfd_create));
}

// For a child, which has not entered its own filter yet.
TEST(SpawnerSandboxTest, ReservesSecretMemory) {
  ExpectAllowed(EnterSpawnerSandbox, MakeSecretMemory);
}

TEST(SpawnerSandboxTest, OpensNoSocketButPairs) {
  ExpectErrno(EnterSpawnerSandbox, OpenInternetSocket, EACCES);
  ExpectErrno(EnterSpawnerSandbox, OpenUnixSocket, EACCES);
  ExpectAllowed(EnterSpawnerSandbox, MakeSocketPair);
}

TEST(SpawnerSandboxTest, CannotReadAnotherProcess) {
  ExpectKilled(EnterSpawnerSandbox, TraceSelf);
  ExpectKilled(EnterSpawnerSandbox, ReadMemoryAsPeer);
  ExpectKilled(EnterSpawnerSandbox, UnshareDescriptors);
  ExpectKilled(EnterSpawnerSandbox, AskPersonality);
}

// What a child proves before its first message: dup3(2) is the spawner's alone.
int ProveOwnFilter() {
  return ipc::ProveRefused(SYS_dup3) ? 0 : ECANCELED;
}

TEST(SpawnerSandboxTest, ShowsWhichChildLeftItsOwnFilterOut) {
  const EnterFilter as_worker = []() -> Status {
    BAOKMS_TRY(EnterSpawnerSandbox());
    return worker::EnterSandbox();
  };
  EXPECT_EQ(Describe(RunConfined(as_worker, ProveOwnFilter)), "did it");
  EXPECT_EQ(Describe(RunConfined(EnterSpawnerSandbox, ProveOwnFilter)),
            "failed: Operation canceled");
}

// The proof does not leave the process able to try calls without ending.
TEST(SpawnerSandboxTest, ReportsACallAfterAProof) {
  const Attempt attempt = [] {
    const int proved = ProveOwnFilter();
    return proved == 0 ? OpenInternetSocket() : proved;
  };
  ExpectReported(worker::EnterSandbox, OpenInternetSocket, SCMP_SYS(socket));
  const ChildOutcome outcome = RunConfined(worker::EnterSandbox, attempt);
  EXPECT_EQ(outcome.refused_call, static_cast<std::uint32_t>(SCMP_SYS(socket)));
  const ChildOutcome again = RunConfined(worker::EnterSandbox, [] {
    const int proved = ProveOwnFilter();
    (void)::dup3(-1, -1, 0);
    return proved;
  });
  EXPECT_EQ(again.refused_call, static_cast<std::uint32_t>(SCMP_SYS(dup3)));
}

// A child enters its own filter below this one. Both are in force then: the union must hold.
TEST(SpawnerSandboxTest, LetsChildrenEnterTheirOwnFilters) {
  const EnterFilter as_worker = []() -> Status {
    BAOKMS_TRY(EnterSpawnerSandbox());
    return worker::EnterSandbox();
  };
  const EnterFilter as_agent = []() -> Status {
    BAOKMS_TRY(EnterSpawnerSandbox());
    return authagent::EnterSandbox();
  };
  ExpectAllowed(as_worker, UseMemory);
  ExpectReported(as_worker, ReadFile, SCMP_SYS(openat));
  ExpectAllowed(as_agent, UseMemory);
  ExpectAllowed(as_agent, ReadFile);
  ExpectForkRefused(as_agent);
}

}  // namespace
}  // namespace baokms::supervisor
