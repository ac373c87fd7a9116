// Starts a real program and asks it what it was born with.

#include "supervisor/spawner/launch.h"

#include <sys/wait.h>
#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/base/result.h"
#include "common/base/unique_fd.h"
#include "ipc/child_descriptors.h"

namespace baokms::supervisor {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

struct Pipe {
  UniqueFd read;
  UniqueFd write;
};

Pipe MakePipe() {
  std::array<int, 2> ends{};
  EXPECT_EQ(::pipe2(ends.data(), O_CLOEXEC), 0);
  return {UniqueFd(ends[0]), UniqueFd(ends[1])};
}

std::string ReadToEnd(const UniqueFd& from) {
  std::string text;
  std::array<char, 512> chunk{};
  for (;;) {
    const ssize_t n = ::read(from.get(), chunk.data(), chunk.size());
    if (n <= 0) {
      return text;
    }
    text.append(chunk.data(), static_cast<std::size_t>(n));
  }
}

int ExitCodeOf(pid_t child) {
  int status = 0;
  EXPECT_EQ(::waitpid(child, &status, 0), child);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

// The build puts it beside this test.
std::filesystem::path LaunchedProgram() {
  return std::filesystem::read_symlink("/proc/self/exe").replace_filename("launched");
}

class LaunchTest : public ::testing::Test {
 protected:
  // What the program says; `more` are the descriptors after its channel.
  std::string Facts(const std::vector<int>& more = {}) {
    Pipe pipe = MakePipe();
    LaunchPlan plan;
    plan.name = "bao-kms-test";
    plan.program = program_.get();
    plan.null = null_.get();
    plan.descriptors = {pipe.write.get()};
    plan.descriptors.insert(plan.descriptors.end(), more.begin(), more.end());
    plan.environment = environment_;
    const Result<pid_t> child = Launch(plan);
    EXPECT_TRUE(child);
    pipe.write.reset();
    const std::string facts = ReadToEnd(pipe.read);
    EXPECT_EQ(ExitCodeOf(*child), 0);
    return facts;
  }

  UniqueFd program_ = UniqueFd(::open(LaunchedProgram().c_str(), O_PATH | O_CLOEXEC));
  UniqueFd null_ = UniqueFd(::open("/dev/null", O_RDWR | O_CLOEXEC));
  std::vector<std::string> environment_;
};

TEST_F(LaunchTest, GivesTheNameOfThePlan) {
  EXPECT_THAT(Facts(), HasSubstr("name bao-kms-test\n"));
}

TEST_F(LaunchTest, InheritsNoEnvironment) {
  ASSERT_EQ(::setenv("SSLKEYLOGFILE", "/tmp/keys", 1), 0);
  EXPECT_THAT(Facts(), Not(HasSubstr("environment")));
  ASSERT_EQ(::unsetenv("SSLKEYLOGFILE"), 0);
}

TEST_F(LaunchTest, GivesChildrenTheTunablesThatOverwriteFreedMemory) {
  environment_ = ChildEnvironment();
  const std::string facts = Facts();
  EXPECT_THAT(facts, HasSubstr("environment GLIBC_TUNABLES=glibc.malloc.tcache_count=0:"
                               "glibc.malloc.perturb=90:glibc.malloc.arena_max=1\n"));
  EXPECT_THAT(facts, HasSubstr("environment TZ=UTC0\n"));
}

TEST_F(LaunchTest, LeavesNothingOpenButTheFixedDescriptors) {
  const UniqueFd leaked(::open("/dev/null", O_RDONLY));  // without close-on-exec, on purpose
  EXPECT_THAT(Facts(), HasSubstr("descriptors 0 1 2 3\n"));
}

TEST_F(LaunchTest, NumbersDescriptorsInTheOrderOfThePlan) {
  const UniqueFd null(::open("/dev/null", O_RDONLY | O_CLOEXEC));
  EXPECT_THAT(Facts({null.get(), null.get(), null.get()}),
              HasSubstr("descriptors 0 1 2 3 4 5 6\n"));
}

// The numbers of the plan may be those of the targets in another order.
TEST_F(LaunchTest, SurvivesDescriptorsThatLieOnEachOthersPlaces) {
  const pid_t child = ::fork();
  if (child == 0) {
    // Here 4 is the channel, and 3 what has to become 4.
    Pipe pipe = MakePipe();
    const int program = ::fcntl(program_.get(), F_DUPFD_CLOEXEC, 100);
    const int read = ::fcntl(pipe.read.get(), F_DUPFD_CLOEXEC, 100);
    const int write = ::fcntl(pipe.write.get(), F_DUPFD_CLOEXEC, 100);
    const int null = ::open("/dev/null", O_RDONLY | O_CLOEXEC);
    (void)::dup2(write, 4);
    (void)::dup2(null, 3);
    (void)::close(write);
    LaunchPlan plan;
    plan.name = "bao-kms-test";
    plan.program = program;
    plan.null = null;
    plan.descriptors = {4, 3};
    const Result<pid_t> launched = Launch(plan);
    std::array<char, 256> text{};
    const ssize_t size = ::read(read, text.data(), text.size());
    const bool named = size > 0 && std::string(text.data()).starts_with("name bao-kms-test");
    ::_exit(launched && named ? 0 : 1);
  }
  EXPECT_EQ(ExitCodeOf(child), 0);
}

TEST_F(LaunchTest, StandardDescriptorsAreNull) {
  EXPECT_THAT(Facts(), HasSubstr("null yes\n"));
}

TEST_F(LaunchTest, BlocksNoSignal) {
  sigset_t child_signal;
  ::sigemptyset(&child_signal);
  ::sigaddset(&child_signal, SIGCHLD);
  ASSERT_EQ(::sigprocmask(SIG_BLOCK, &child_signal, nullptr), 0);
  EXPECT_THAT(Facts(), HasSubstr("blocked\n"));
  ASSERT_EQ(::sigprocmask(SIG_UNBLOCK, &child_signal, nullptr), 0);
}

TEST_F(LaunchTest, AChildThatCannotExecuteSaysSo) {
  const UniqueFd no_program(::open("/dev/null", O_RDONLY | O_CLOEXEC));
  LaunchPlan plan;
  plan.name = "bao-kms-test";
  plan.program = no_program.get();
  plan.null = null_.get();
  const Result<pid_t> child = Launch(plan);
  ASSERT_TRUE(child);
  EXPECT_EQ(ExitCodeOf(*child), static_cast<int>(ipc::ExitCode::kStartFailed));
}

// Between fork and exec nothing may wait for a lock that another thread held: malloc's above all.
TEST_F(LaunchTest, StartsWhileAnotherThreadAllocates) {
  std::jthread busy([](const std::stop_token& stop) {
    while (!stop.stop_requested()) {
      const std::string text(4096, 'x');
      ASSERT_EQ(text.back(), 'x');
    }
  });
  for (int i = 0; i < 20; ++i) {
    ASSERT_THAT(Facts(), HasSubstr("name bao-kms-test\n"));
  }
}

}  // namespace
}  // namespace baokms::supervisor
