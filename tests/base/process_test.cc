// What a process does to itself, each in a forked child, because there is no way back.

#include "common/base/process.h"

#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <csignal>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <utility>

#include <gtest/gtest.h>

#include "common/base/clock.h"
#include "common/base/event_loop.h"
#include "common/base/heartbeat.h"
#include "common/base/result.h"
#include "common/base/unique_fd.h"
#include "tests/base/is_open.h"

namespace baokms {
namespace {

using std::chrono::milliseconds;

// The wait status of a child that runs `body` and exits with 0 when it returns true.
int InChild(const std::function<bool()>& body) {
  const pid_t child = ::fork();
  if (child == 0) {
    ::_exit(body() ? 0 : 1);
  }
  int status = 0;
  EXPECT_EQ(::waitpid(child, &status, 0), child);
  return status;
}

// A real sleep: these tests are about the kernel's own timer.
void Sleep(milliseconds time) {
  std::this_thread::sleep_for(time);
}

TEST(ProcessTest, HardeningTakesPrivilegesDumpsAndCoreFiles) {
  EXPECT_EQ(InChild([] {
              rlimit core{};
              return HardenSelf() && ::prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1 &&
                     ::prctl(PR_GET_DUMPABLE, 0, 0, 0, 0) == 0 &&
                     ::getrlimit(RLIMIT_CORE, &core) == 0 && core.rlim_max == 0;
            }),
            0);
}

// Otherwise a log line would be written into the first file that the program opens.
TEST(ProcessTest, FilesNeverTakeTheNumberOfAClosedStandardDescriptor) {
  EXPECT_EQ(InChild([] {
              for (const int standard : {0, 1, 2}) {
                (void)::close(standard);
              }
              if (!OccupyStandardDescriptors()) {
                return false;
              }
              char byte = 'x';
              const UniqueFd file(::open("/dev/null", O_RDWR | O_CLOEXEC));
              return file.get() > 2 && ::read(0, &byte, 1) < 0 && ::write(1, &byte, 1) < 0 &&
                     ::write(2, &byte, 1) < 0;
            }),
            0);
}

TEST(ProcessTest, OpenStandardDescriptorsAreKept) {
  EXPECT_EQ(InChild([] {
              int pipe[2];
              (void)::close(0);
              char byte = 'x';
              return ::pipe(pipe) == 0 && ::dup2(pipe[1], 2) == 2 && OccupyStandardDescriptors() &&
                     ::write(2, &byte, 1) == 1 && ::read(0, &byte, 1) == 1;
            }),
            0);
}

TEST(ProcessTest, LimitsGoDownAndNeverUp) {
  EXPECT_EQ(InChild([] {
              rlimit files{};
              return LimitResource(RLIMIT_NOFILE, 32) && LimitResource(RLIMIT_NOFILE, 64) &&
                     ::getrlimit(RLIMIT_NOFILE, &files) == 0 && files.rlim_cur == 32 &&
                     files.rlim_max == 32;
            }),
            0);
}

TEST(ProcessTest, SignalsToTheWholeGroupDoNotEndAChild) {
  EXPECT_EQ(InChild([] {
              if (!IgnoreGroupSignals()) {
                return false;
              }
              for (const int signal : {SIGTERM, SIGINT, SIGHUP, SIGPIPE}) {
                (void)::raise(signal);
              }
              return true;
            }),
            0);
}

TEST(ProcessTest, NoticesAMissingFixedDescriptor) {
  EXPECT_EQ(InChild([] {
              const bool all = RequireOpenDescriptors(3).has_value();
              (void)::close(1);
              return all && !RequireOpenDescriptors(3).has_value();
            }),
            0);
}

TEST(ProcessTest, ClosesEverythingFromANumberUp) {
  EXPECT_EQ(InChild([] {
              (void)::dup2(0, 10);
              (void)::dup2(0, 200);
              return CloseFrom(11) && IsOpen(10) && !IsOpen(200);
            }),
            0);
}

TEST(DeadMansTimerTest, KillsAProcessThatHangsWithAllSignalsBlocked) {
  const int status = InChild([] {
    sigset_t all;
    ::sigfillset(&all);
    (void)::sigprocmask(SIG_SETMASK, &all, nullptr);
    const auto timer = DeadMansTimer::Create(1);
    Sleep(std::chrono::seconds(10));
    return timer.has_value();
  });
  ASSERT_TRUE(WIFSIGNALED(status));
  EXPECT_EQ(WTERMSIG(status), SIGKILL);
}

TEST(DeadMansTimerTest, KillsAStoppedProcess) {
  const int status = InChild([] {
    const auto timer = DeadMansTimer::Create(1);
    (void)::raise(SIGSTOP);
    return timer.has_value();
  });
  ASSERT_TRUE(WIFSIGNALED(status));
  EXPECT_EQ(WTERMSIG(status), SIGKILL);
}

TEST(DeadMansTimerTest, IsPostponedByACallInTime) {
  EXPECT_EQ(InChild([] {
              auto timer = DeadMansTimer::Create(1);
              for (int i = 0; i < 6; ++i) {
                Sleep(milliseconds(250));
                if (!timer || !timer->Postpone()) {
                  return false;
                }
              }
              return true;
            }),
            0);
}

// The two children outlast the time to live side by side. With the real one, a stopped agent and a
// stopped worker are ended in tests/e2e/test_processes.py.
TEST(HeartbeatTest, EndsALoopThatHangsAndSparesOneThatTurns) {
  const auto start = [](const std::function<void(EventLoop&)>& prepare) {
    const pid_t child = ::fork();
    if (child == 0) {
      const auto loop = EventLoop::Create().value();
      const auto heartbeat = Heartbeat::Create(*loop, 3);
      prepare(*loop);
      ::_exit(heartbeat && loop->Run() ? 0 : 1);
    }
    return child;
  };
  const pid_t hanging = start([](EventLoop& loop) {
    loop.After(milliseconds(1), [] { Sleep(std::chrono::seconds(60)); });
  });
  const pid_t turning =
      start([](EventLoop& loop) { loop.After(std::chrono::seconds(4), [&loop] { loop.Stop(); }); });
  int status = 0;
  ASSERT_EQ(::waitpid(hanging, &status, 0), hanging);
  EXPECT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL) << status;
  ASSERT_EQ(::waitpid(turning, &status, 0), turning);
  EXPECT_EQ(status, 0);
}

}  // namespace
}  // namespace baokms
