// The real programs, born with something that they cannot start with: each says what it is, on its
// channel to the supervisor, and ends.

#include <sys/mman.h>
#include <sys/wait.h>
#include <fcntl.h>
#include <poll.h>
#include <sysexits.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "common/base/error.h"
#include "common/base/result.h"
#include "common/base/unique_fd.h"
#include "ipc/channel.h"
#include "ipc/child_descriptors.h"
#include "ipc/limits.h"
#include "ipc/message_type.h"
#include "ipc/sealed.h"
#include "proto/ipc.pb.h"
#include "proto/setup.pb.h"
#include "supervisor/spawner/launch.h"

namespace baokms::supervisor {
namespace {

class StartFailureTest : public ::testing::Test {
 protected:
  // What the program says; `more` are the descriptors after its channel.
  std::optional<ipc::StartFailure> Start(const char* path, const std::vector<int>& more) {
    ipc::ChannelPair pair = ipc::MakeChannelPair().value();
    const UniqueFd program(::open(path, O_PATH | O_CLOEXEC));
    const UniqueFd null(::open("/dev/null", O_RDWR | O_CLOEXEC));
    LaunchPlan plan;
    plan.name = "bao-kms-test";
    plan.program = program.get();
    plan.null = null.get();
    plan.descriptors = {pair.second.get()};
    plan.descriptors.insert(plan.descriptors.end(), more.begin(), more.end());
    plan.environment = ChildEnvironment();
    const pid_t child = Launch(plan).value();
    pair.second.reset();
    int status = 0;
    EXPECT_EQ(::waitpid(child, &status, 0), child);
    EXPECT_TRUE(WIFEXITED(status));
    EXPECT_EQ(WEXITSTATUS(status), static_cast<int>(ipc::ExitCode::kStartFailed));
    return Receive(pair.first.get());
  }

  template <typename Setup>
  static UniqueFd EmptySetup() {
    return ipc::SealMessage(Setup()).value();
  }

  static std::optional<ipc::StartFailure> Receive(int channel) {
    std::vector<std::uint8_t> buffer(ipc::kMaxDatagram);
    const auto datagram = ipc::ReceiveDatagram(channel, buffer);
    ipc::StartFailure failure;
    if (!datagram || !*datagram || (*datagram)->type != ipc::MessageType::kStartFailure ||
        !failure.ParseFromArray((*datagram)->body.data(),
                                static_cast<int>((*datagram)->body.size()))) {
      return std::nullopt;
    }
    return failure;
  }

  static void ExpectFailure(const std::optional<ipc::StartFailure>& failure,
                            ErrorCode code,
                            int sys_errno,
                            const std::string& step) {
    ASSERT_TRUE(failure.has_value());
    EXPECT_EQ(failure->code(), static_cast<std::uint32_t>(code));
    EXPECT_EQ(failure->sys_errno(), static_cast<std::uint32_t>(sys_errno));
    EXPECT_EQ(failure->step(), step);
  }

  UniqueFd peer_ = UniqueFd(::open("/dev/null", O_RDWR | O_CLOEXEC));
};

TEST_F(StartFailureTest, AWorkerRefusesItsSetup) {
  const UniqueFd setup = EmptySetup<ipc::WorkerSetup>();
  ExpectFailure(Start(BAOKMS_WORKER, {setup.get(), peer_.get()}), ErrorCode::kInvalidArgument, 0,
                "provider name is not valid");
}

TEST_F(StartFailureTest, AnAuthAgentRefusesItsSetup) {
  const UniqueFd setup = EmptySetup<ipc::AgentSetup>();
  ExpectFailure(Start(BAOKMS_AUTHAGENT, {setup.get(), peer_.get()}), ErrorCode::kInvalidArgument, 0,
                "set-up: openbao.additionalAddresses: number of addresses");
}

// No restart can make it readable, so the code is the one that ends `serve`.
TEST_F(StartFailureTest, ASetupThatIsNotTheExpectedMessage) {
  const UniqueFd setup(::memfd_create("set-up", MFD_CLOEXEC | MFD_ALLOW_SEALING));
  ASSERT_EQ(::write(setup.get(), "\x0a\xff", 2), 2);  // a field that is longer than the message
  ASSERT_EQ(
      ::fcntl(setup.get(), F_ADD_SEALS, F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE),
      0);
  for (const char* program : {BAOKMS_WORKER, BAOKMS_AUTHAGENT}) {
    ExpectFailure(Start(program, {setup.get(), peer_.get()}), ErrorCode::kInvalidArgument, 0,
                  "sealed set-up is not the expected message");
  }
}

TEST_F(StartFailureTest, ASetupThatIsNotSealed) {
  const UniqueFd setup(::memfd_create("set-up", MFD_CLOEXEC | MFD_ALLOW_SEALING));
  ExpectFailure(Start(BAOKMS_WORKER, {setup.get(), peer_.get()}), ErrorCode::kFailedPrecondition, 0,
                "set-up is not a sealed memfd");
}

TEST_F(StartFailureTest, ADescriptorIsMissing) {
  const UniqueFd setup = EmptySetup<ipc::SpawnerSetup>();
  const auto failure = Start(BAOKMS_SPAWNER, {setup.get()});
  ASSERT_TRUE(failure.has_value());
  EXPECT_EQ(failure->sys_errno(), static_cast<std::uint32_t>(EBADF));
}

TEST_F(StartFailureTest, AProgramThatCannotBeExecuted) {
  ExpectFailure(Start("/dev/null", {}), ErrorCode::kSystem, EACCES,
                "execveat of the child's program");
}

TEST_F(StartFailureTest, NoneIsRunByHand) {
  for (const std::string program : {BAOKMS_WORKER, BAOKMS_AUTHAGENT, BAOKMS_SPAWNER}) {
    for (const char* end : {" --help", ""}) {
      FILE* out = ::popen((program + end + " 2>&1 3>&-").c_str(), "r");
      ASSERT_NE(out, nullptr);
      std::array<char, 256> line{};
      EXPECT_NE(std::fgets(line.data(), line.size(), out), nullptr);
      EXPECT_EQ(std::string(line.data()),
                program.substr(program.rfind('/') + 1) +
                    " is started by bao-kms-provider; do not run it by hand\n");
      EXPECT_EQ(WEXITSTATUS(::pclose(out)), EX_USAGE);
    }
  }
}

}  // namespace
}  // namespace baokms::supervisor
