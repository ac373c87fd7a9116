#include "tests/base/filtered_child.h"

#include <sys/mman.h>
#include <sys/wait.h>
#include <seccomp.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdint>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "common/base/result.h"
#include "ipc/channel.h"
#include "ipc/child_descriptors.h"
#include "ipc/limits.h"
#include "ipc/message_type.h"
#include "ipc/refused_syscall.h"
#include "proto/ipc.pb.h"
#include "tests/base/deeds.h"

namespace baokms {
namespace {

constexpr int kDidIt = 0;
constexpr int kFailed = 1;
constexpr int kNoFilter = 2;

struct Unmap {
  void operator()(int* memory) const { (void)::munmap(memory, sizeof *memory); }
};

// One integer that parent and child share: the child needs no system call to speak through it.
std::unique_ptr<int, Unmap> SharedInteger() {
  void* memory =
      ::mmap(nullptr, sizeof(int), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) {
    return nullptr;
  }
  return std::unique_ptr<int, Unmap>(static_cast<int*>(memory));
}

// A forked child of a test must not write a core file for the deeds that kill it.
ChildOutcome Run(const Attempt& attempt, const std::function<bool()>& before) {
  const auto error = SharedInteger();
  ChildOutcome outcome;
  if (error == nullptr) {
    ADD_FAILURE() << "mmap failed";
    return outcome;
  }
  const pid_t child = ::fork();
  if (child == 0) {
    if (!before()) {
      ::_exit(kNoFilter);
    }
    *error = attempt();
    ::_exit(*error == 0 ? kDidIt : kFailed);
  }
  EXPECT_EQ(::waitpid(child, &outcome.wait_status, 0), child);
  EXPECT_FALSE(WIFEXITED(outcome.wait_status) && WEXITSTATUS(outcome.wait_status) == kNoFilter)
      << "the filter could not be entered";
  outcome.error = *error;
  return outcome;
}

std::optional<std::uint32_t> ReceiveReport(int channel) {
  std::vector<std::uint8_t> buffer(ipc::kMaxDatagram);
  const auto datagram = ipc::ReceiveDatagram(channel, buffer);
  if (!datagram || !*datagram || (*datagram)->type != ipc::MessageType::kSyscallRefused) {
    return std::nullopt;
  }
  ipc::SyscallRefused refused;
  const auto body = (*datagram)->body;
  if (!refused.ParseFromArray(body.data(), static_cast<int>(body.size()))) {
    return std::nullopt;
  }
  return refused.number();
}

void ExpectFree(const Attempt& attempt) {
  const ChildOutcome free = RunFree(attempt);
  EXPECT_EQ(Describe(free), "did it") << "outside the filter, so the test would prove nothing";
}

}  // namespace

ChildOutcome RunFree(const Attempt& attempt) {
  return Run(attempt, [] { return true; });
}

ChildOutcome RunConfined(const EnterFilter& enter, const Attempt& attempt) {
  const ipc::ChannelPair pair = ipc::MakeChannelPair().value();
  ChildOutcome outcome = Run(attempt, [&] {
    return ipc::ReportRefusedSyscalls(pair.second.get()).has_value() && enter().has_value();
  });
  outcome.refused_call = ReceiveReport(pair.first.get());
  return outcome;
}

std::string Describe(const ChildOutcome& outcome) {
  std::string text;
  if (outcome.refused_call) {
    char* name = ::seccomp_syscall_resolve_num_arch(SCMP_ARCH_NATIVE,
                                                    static_cast<int>(*outcome.refused_call));
    text = "reported " + std::string(name == nullptr ? "an unknown call" : name) + ", ";
    std::free(name);
  }
  if (WIFSIGNALED(outcome.wait_status)) {
    return text + "killed by " + ::strsignal(WTERMSIG(outcome.wait_status));
  }
  const int code = WEXITSTATUS(outcome.wait_status);
  if (code == kDidIt) {
    return text + "did it";
  }
  return code == kFailed ? text + "failed: " + std::strerror(outcome.error)
                         : text + "exit " + std::to_string(code);
}

void ExpectReported(const EnterFilter& enter, const Attempt& attempt, int syscall) {
  ExpectFree(attempt);
  ChildOutcome expected;
  expected.wait_status = static_cast<int>(ipc::ExitCode::kRefusedSyscall) << 8;
  expected.refused_call = static_cast<std::uint32_t>(syscall);
  EXPECT_EQ(Describe(RunConfined(enter, attempt)), Describe(expected));
}

void ExpectKilled(const EnterFilter& enter, const Attempt& attempt) {
  ExpectFree(attempt);
  EXPECT_EQ(Describe(RunConfined(enter, attempt)), Describe({.wait_status = SIGSYS}));
}

void ExpectForkRefused(const EnterFilter& enter) {
  ExpectReported(
      enter, [] { return CloneAndWait(); }, SCMP_SYS(clone));
#if __GLIBC_PREREQ(2, 41)
  // Debian 13: fork(3) blocks all signals around clone(2), because of the lock of abort(3), and the
  // kernel ends a process at once to which it cannot deliver the SIGSYS of the refused call.
  ExpectKilled(enter, ForkAndWait);
#else
  // Debian 12: no signal is blocked, so the handler of SIGSYS runs and reports the call.
  ExpectReported(enter, ForkAndWait, SCMP_SYS(clone));
#endif
}

void ExpectErrno(const EnterFilter& enter, const Attempt& attempt, int expected) {
  ExpectFree(attempt);
  EXPECT_EQ(Describe(RunConfined(enter, attempt)),
            Describe({.wait_status = kFailed << 8, .error = expected, .refused_call = {}}));
}

void ExpectAllowed(const EnterFilter& enter, const Attempt& attempt) {
  ExpectFree(attempt);
  EXPECT_EQ(Describe(RunConfined(enter, attempt)), "did it");
}

}  // namespace baokms
