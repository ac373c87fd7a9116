// Enters the supervisor's real filter in a forked child. What it refuses fails; nothing ends it.

#include "supervisor/serve/sandbox.h"

#include <netinet/in.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <climits>
#include <csignal>
#include <cstdlib>
#include <future>
#include <thread>
#include <utility>

#include <gtest/gtest.h>

#include "common/base/result.h"
#include "common/base/unique_fd.h"
#include "tests/base/deeds.h"
#include "tests/base/filtered_child.h"

namespace baokms::supervisor {
namespace {

constexpr int kMptcp = 262;  // IPPROTO_MPTCP, which older C libraries do not name

// With a socket that systemd owns.
Status EnterSandbox() {
  return EnterSupervisorSandbox(ListenerRights::kNone);
}

// With a socket that the supervisor bound and may have to bind again.
Status EnterSandboxOfOwnSocket() {
  return EnterSupervisorSandbox(ListenerRights::kBindKmsSocket);
}

int GiveFileAway(uid_t owner, gid_t group) {
  const UniqueFd file(::open("/tmp/supervisor_sandbox_test", O_CREAT | O_RDWR | O_CLOEXEC, 0600));
  return ::lchown("/tmp/supervisor_sandbox_test", owner, group) == 0 ? 0 : errno;
}

int ReadLink() {
  char target[PATH_MAX];
  return ::readlinkat(AT_FDCWD, "/proc/self/exe", target, sizeof target) > 0 ? 0 : errno;
}

int MakeLink() {
  const int made = ::symlink("/etc/passwd", "/tmp/supervisor_sandbox_test_link");
  const int error = made == 0 ? 0 : errno;
  ::unlink("/tmp/supervisor_sandbox_test_link");
  return error;
}

int BindToLoopback(int socket) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return ::bind(socket, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0 ? 0
                                                                                          : errno;
}

TEST(SupervisorSandboxTest, LetsItsOrdinaryWorkThrough) {
  ExpectAllowed(EnterSandbox, UseMemory);
  ExpectAllowed(EnterSandbox, StartThread);
  ExpectAllowed(EnterSandbox, OpenInternetSocket);
  ExpectAllowed(EnterSandbox, MakeSocketPair);
  ExpectAllowed(EnterSandbox, ReadFile);
  ExpectAllowed(EnterSandbox, CreateFile);
}

// A reload walks the configuration's paths, which may lead through links.
TEST(SupervisorSandboxTest, ReadsSymbolicLinksButMakesNone) {
  ExpectAllowed(EnterSandbox, ReadLink);
  ExpectErrno(EnterSandbox, MakeLink, EPERM);
}

TEST(SupervisorSandboxTest, StartsNoProcessAndNoProgram) {
  ExpectErrno(EnterSandbox, ForkAndWait, EPERM);
  ExpectErrno(EnterSandbox, ExecuteProgram, EPERM);
  ExpectErrno(EnterSandbox, ExecuteDescriptor, EPERM);
}

TEST(SupervisorSandboxTest, OpensNoSocketButForTheInternet) {
  ExpectErrno(EnterSandbox, OpenUnixSocket, EPERM);
  ExpectErrno(EnterSandbox, OpenNetlinkSocket, EPERM);
}

// Landlock judges the ports of TCP alone.
TEST(SupervisorSandboxTest, OpensNoInternetSocketButForTcpAndUdp) {
  const auto open = [](int type, int protocol) {
    return [=] {
      const UniqueFd socket(::socket(AF_INET, type | SOCK_CLOEXEC, protocol));
      return socket.valid() ? 0 : errno;
    };
  };
  ExpectAllowed(EnterSandbox, open(SOCK_STREAM, IPPROTO_TCP));
  ExpectAllowed(EnterSandbox, open(SOCK_DGRAM, 0));
  ExpectErrno(EnterSandbox, open(SOCK_STREAM, kMptcp), EPERM);
  ExpectErrno(EnterSandbox, open(SOCK_DGRAM, IPPROTO_UDPLITE), EPERM);
}

TEST(SupervisorSandboxTest, BindsNoNewListener) {
  const UniqueFd socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  // Each attempt is a process of its own, but the socket is one: a second bind is EINVAL.
  EXPECT_EQ(Describe(RunConfined(EnterSandbox, [&] { return BindToLoopback(socket.get()); })),
            Describe({.wait_status = 1 << 8, .error = EPERM, .refused_call = {}}));
  EXPECT_EQ(BindToLoopback(socket.get()), 0);
}

TEST(SupervisorSandboxTest, BindsTheKmsSocketAgainOnlyIfItBoundItBefore) {
  const auto give_to_group = [] {
    return GiveFileAway(static_cast<uid_t>(-1), ::getegid());
  };
  ExpectAllowed(EnterSandboxOfOwnSocket, OpenUnixSocket);
  ExpectAllowed(EnterSandboxOfOwnSocket, give_to_group);
  ExpectErrno(
      EnterSandboxOfOwnSocket, [] { return GiveFileAway(::geteuid(), ::getegid()); }, EPERM);
  ExpectErrno(EnterSandboxOfOwnSocket, OpenNetlinkSocket, EPERM);
  ExpectErrno(EnterSandbox, give_to_group, EPERM);
}

TEST(SupervisorSandboxTest, MakesNoMemoryExecutable) {
  ExpectErrno(EnterSandbox, MapExecutableMemory, EPERM);
  ExpectErrno(EnterSandbox, MakeMemoryExecutable, EPERM);
}

TEST(SupervisorSandboxTest, CannotReachAnotherProcess) {
  ExpectErrno(EnterSandbox, TraceSelf, EPERM);
  ExpectErrno(EnterSandbox, ReadMemoryAsPeer, EPERM);
  ExpectErrno(EnterSandbox, SendSignal, EPERM);
}

TEST(SupervisorSandboxTest, CannotWeakenItself) {
  ExpectErrno(EnterSandbox, BecomeDumpable, EPERM);
  ExpectErrno(EnterSandbox, RaiseLimit, EPERM);
  ExpectErrno(EnterSandbox, UnshareDescriptors, EPERM);
  ExpectErrno(EnterSandbox, AskPersonality, EPERM);
  ExpectErrno(EnterSandbox, ControlDevice, EPERM);
}

// A failed check must end the process, not leave it running.
TEST(SupervisorSandboxTest, EndsByAbort) {
  const ChildOutcome outcome = RunConfined(EnterSandbox, []() -> int { std::abort(); });
  ASSERT_TRUE(WIFSIGNALED(outcome.wait_status));
  EXPECT_EQ(WTERMSIG(outcome.wait_status), SIGABRT);
}

// The listeners' threads exist before the filter does.
TEST(SupervisorSandboxTest, ConfinesThreadsThatRanBeforeIt) {
  const ChildOutcome outcome = RunFree([] {
    std::promise<void> entered;
    std::promise<int> tried;
    std::thread earlier([&] {
      entered.get_future().wait();
      tried.set_value(OpenUnixSocket());
    });
    const Status status = EnterSandbox();
    entered.set_value();
    const int error = tried.get_future().get();
    earlier.join();
    return status ? error : EIO;
  });
  EXPECT_EQ(outcome.error, EPERM);
}

TEST(SupervisorSandboxTest, KillsOnCallsOfAnotherArchitecture) {
  if (Describe(RunFree(CallAsForeignArchitecture)) != "did it") {
    GTEST_SKIP() << "this kernel runs no 32-bit calls, so there is nothing to refuse";
  }
  ExpectKilled(EnterSandbox, CallAsForeignArchitecture);
}

}  // namespace
}  // namespace baokms::supervisor
