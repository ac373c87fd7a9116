// Enters the worker's real filter in a forked child and tries what an attacker would.

#include "worker/sandbox.h"

#include <netinet/in.h>
#include <sys/socket.h>
#include <seccomp.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <string>

#include <gtest/gtest.h>

#include "common/base/unique_fd.h"
#include "tests/base/deeds.h"
#include "tests/base/filtered_child.h"

namespace baokms::worker {
namespace {

// connect(2) of a socket that exists already, to a port where nobody listens.
int ConnectToNobody(int socket) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(1);
  return ::connect(socket, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0
             ? 0
             : errno;
}

TEST(WorkerSandboxTest, LetsItsOrdinaryWorkThrough) {
  ExpectAllowed(EnterSandbox, UseMemory);
}

TEST(WorkerSandboxTest, ReportsTheCallAndExitsWithTheReservedCode) {
  const ChildOutcome outcome = RunConfined(EnterSandbox, OpenInternetSocket);
  EXPECT_EQ(outcome.refused_call, static_cast<std::uint32_t>(SCMP_SYS(socket)));
  ASSERT_TRUE(WIFEXITED(outcome.wait_status));
  EXPECT_EQ(WEXITSTATUS(outcome.wait_status), 97);
}

TEST(WorkerSandboxTest, OpensNoSocket) {
  ExpectReported(EnterSandbox, OpenInternetSocket, SCMP_SYS(socket));
  ExpectReported(EnterSandbox, OpenUnixSocket, SCMP_SYS(socket));
  ExpectReported(EnterSandbox, MakeSocketPair, SCMP_SYS(socketpair));
}

TEST(WorkerSandboxTest, ConnectsNothingAndIsToldThatItDid) {
  const UniqueFd socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  ASSERT_TRUE(socket.valid());
  const Attempt attempt = [&] {
    return ConnectToNobody(socket.get());
  };
  EXPECT_EQ(RunFree(attempt).error, ECONNREFUSED) << "outside, the kernel is really asked";
  EXPECT_EQ(Describe(RunConfined(EnterSandbox, attempt)), "did it");
}

TEST(WorkerSandboxTest, OpensNoFile) {
  ExpectReported(EnterSandbox, ReadFile, SCMP_SYS(openat));
  ExpectReported(EnterSandbox, CreateFile, SCMP_SYS(openat));
  ExpectReported(EnterSandbox, CreateMemoryFile, SCMP_SYS(memfd_create));
  ExpectReported(EnterSandbox, MakeSecretMemory, SCMP_SYS(memfd_secret));
}

TEST(WorkerSandboxTest, StartsNoProgramProcessOrThread) {
  ExpectReported(EnterSandbox, ExecuteProgram, SCMP_SYS(execve));
  ExpectForkRefused(EnterSandbox);
  // libc prepares its own signals before the first clone().
  ExpectReported(EnterSandbox, StartThread, SCMP_SYS(rt_sigaction));
}

TEST(WorkerSandboxTest, MakesNoMemoryExecutable) {
  ExpectReported(EnterSandbox, MapExecutableMemory, SCMP_SYS(mmap));
  ExpectReported(EnterSandbox, MakeMemoryExecutable, SCMP_SYS(mprotect));
}

TEST(WorkerSandboxTest, MapsNoMemoryThatItsLimitDoesNotCount) {
  ExpectReported(EnterSandbox, MapSharedMemory, SCMP_SYS(mmap));
  ExpectReported(EnterSandbox, MapGrowingMemory, SCMP_SYS(mmap));
}

TEST(WorkerSandboxTest, CannotReachAnotherProcess) {
  ExpectReported(EnterSandbox, SendSignal, SCMP_SYS(kill));
  ExpectKilled(EnterSandbox, TraceSelf);
  ExpectKilled(EnterSandbox, ReadMemoryAsPeer);
}

TEST(WorkerSandboxTest, CannotWeakenItself) {
  ExpectReported(EnterSandbox, ReplaceHandler, SCMP_SYS(rt_sigaction));
  ExpectReported(EnterSandbox, ArmNewTimer, SCMP_SYS(timer_create));
  ExpectReported(EnterSandbox, BecomeDumpable, SCMP_SYS(prctl));
  ExpectReported(EnterSandbox, RaiseLimit, SCMP_SYS(prlimit64));
}

TEST(WorkerSandboxTest, KillsOnDangerousCallsWithoutAHandler) {
  ExpectKilled(EnterSandbox, UnshareDescriptors);
  ExpectKilled(EnterSandbox, AskPersonality);
  ExpectKilled(EnterSandbox, ReadDescriptorTable);
}

TEST(WorkerSandboxTest, KillsOnCallsOfAnotherArchitecture) {
  if (Describe(RunFree(CallAsForeignArchitecture)) != "did it") {
    GTEST_SKIP() << "this kernel runs no 32-bit calls, so there is nothing to refuse";
  }
  ExpectKilled(EnterSandbox, CallAsForeignArchitecture);
}

// abort() needs tgkill, which no child has: its end is seen as that call, never as a hang.
TEST(WorkerSandboxTest, EndsByAbortAsARefusedCall) {
  const Attempt attempt = []() -> int {
    std::abort();
  };
  EXPECT_EQ(WTERMSIG(RunFree(attempt).wait_status), SIGABRT);
  const ChildOutcome outcome = RunConfined(EnterSandbox, attempt);
  EXPECT_EQ(outcome.refused_call, static_cast<std::uint32_t>(SCMP_SYS(tgkill)));
}

}  // namespace
}  // namespace baokms::worker
