#include <sys/wait.h>
#include <seccomp.h>
#include <unistd.h>

#include <csignal>
#include <cstdint>
#include <optional>
#include <string>

#include <gtest/gtest.h>

#include "supervisor/children/children.h"

namespace baokms::supervisor {
namespace {

constexpr int Exit(int code) {
  return code << 8;
}

struct Row {
  const char* name;
  int wait_status;
  std::optional<std::uint32_t> reported;
  ExitStatus::Kind kind;
  const char* cause;
};

constexpr std::uint32_t kOpenat = SCMP_SYS(openat);

const Row kRows[] = {
    {"ordinary end", Exit(0), std::nullopt, ExitStatus::Kind::kExited, "exit_0"},
    {"violation", Exit(71), std::nullopt, ExitStatus::Kind::kExited, "exit_71"},
    {"killed", SIGKILL, std::nullopt, ExitStatus::Kind::kKilled, "sigkill"},
    {"crash", SIGSEGV, std::nullopt, ExitStatus::Kind::kCrashed, "sigsegv"},
    {"abort with a core", SIGABRT | 0x80, std::nullopt, ExitStatus::Kind::kCrashed, "sigabrt"},
    {"bus error", SIGBUS, std::nullopt, ExitStatus::Kind::kCrashed, "sigbus"},
    {"dangerous call", SIGSYS, std::nullopt, ExitStatus::Kind::kCrashed, "sigsys"},
    {"other signal", SIGFPE, std::nullopt, ExitStatus::Kind::kCrashed, "signal_8"},
    {"refused", Exit(97), kOpenat, ExitStatus::Kind::kRefusedSyscall, "syscall_openat"},
    {"refused, report lost", Exit(97), std::nullopt, ExitStatus::Kind::kRefusedSyscall,
     "syscall_unknown"},
    {"refused, no such call", Exit(97), 999'999, ExitStatus::Kind::kRefusedSyscall,
     "syscall_unknown"},
    {"reported, but lived on", Exit(0), kOpenat, ExitStatus::Kind::kExited, "exit_0"},
    {"reported, then crashed", SIGSEGV, kOpenat, ExitStatus::Kind::kCrashed, "sigsegv"},
};

TEST(ExitStatusTextTest, SaysTheKindAndTheWord) {
  for (const Row& row : kRows) {
    SCOPED_TRACE(row.name);
    const ExitStatus status = ExitStatusOf(row.wait_status, row.reported);
    EXPECT_EQ(status.kind, row.kind);
    EXPECT_EQ(CauseOf(status), row.cause);
  }
}

TEST(ExitStatusTextTest, ReadsRealWaitStatuses) {
  const pid_t exited = ::fork();
  if (exited == 0) {
    ::_exit(72);
  }
  const pid_t killed = ::fork();
  if (killed == 0) {
    ::pause();
  }
  ASSERT_EQ(::kill(killed, SIGKILL), 0);
  int status = 0;
  ASSERT_EQ(::waitpid(exited, &status, 0), exited);
  EXPECT_EQ(CauseOf(ExitStatusOf(status, std::nullopt)), "exit_72");
  ASSERT_EQ(::waitpid(killed, &status, 0), killed);
  EXPECT_EQ(CauseOf(ExitStatusOf(status, std::nullopt)), "sigkill");
}

TEST(ExitStatusTextTest, HasAWordForAChildThatNeverWas) {
  EXPECT_EQ(CauseOf({.kind = ExitStatus::Kind::kNotStarted, .code = 11, .syscall = {}}),
            "not_started");
}

}  // namespace
}  // namespace baokms::supervisor
