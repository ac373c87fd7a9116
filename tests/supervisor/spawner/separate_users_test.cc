// The real spawner with CAP_SETUID and CAP_SETGID alone, in place of its programs one that says
// what it was born with, or one that never ends.

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/base/process.h"
#include "common/base/users.h"
#include "tests/supervisor/spawner/real_spawner.h"

namespace baokms::supervisor {
namespace {

using ::testing::HasSubstr;

// A line of /proc/<pid>/status with the real, effective, saved and file system id.
std::string Line(const std::string& name, std::uint32_t id) {
  std::string line = name + ":";
  for (int i = 0; i < 4; ++i) {
    line += "\t" + std::to_string(id);
  }
  return line + "\n";
}

// Reads what the child writes to its channel until it has ended.
std::string FactsFrom(const UniqueFd& channel) {
  std::string facts;
  std::vector<char> chunk(65536);
  for (pollfd waiting{channel.get(), POLLIN, 0}; ::poll(&waiting, 1, 10'000) == 1;) {
    const ssize_t size = ::recv(channel.get(), chunk.data(), chunk.size(), 0);
    if (size <= 0) {
      break;
    }
    facts.append(chunk.data(), static_cast<std::size_t>(size));
  }
  return facts;
}

std::string StatusOf(std::int64_t pid) {
  std::ifstream file("/proc/" + std::to_string(pid) + "/status");
  return {std::istreambuf_iterator<char>(file), {}};
}

std::int64_t OnlyChild() {
  const std::string self = std::to_string(::getpid());
  std::int64_t pid = 0;
  std::ifstream("/proc/" + self + "/task/" + self + "/children") >> pid;
  return pid;
}

// Runs each test in a process that becomes what the supervisor is when it starts the spawner.
class SeparateUsersTest : public ::testing::Test {
 public:
  template <typename Test>
  static void AsSupervisor(const Test& test) {
    const pid_t child = ::fork();
    if (child == 0) {
      EXPECT_TRUE(SetGroups({}));
      EXPECT_TRUE(BecomeUserWithCapabilities(kSupervisor));
      EXPECT_TRUE(KeepUserCapabilities(Heritage::kForPrograms));
      EXPECT_TRUE(HardenSelf());
      test();
      ::_exit(testing::Test::HasFailure() ? 1 : 0);
    }
    int status = 0;
    EXPECT_EQ(::waitpid(child, &status, 0), child);
    EXPECT_EQ(status, 0) << "see above";
  }

  static HelperPrograms Programs(const char* program) {
    return {.spawner = OpenToExecute(BAOKMS_SPAWNER),
            .worker = OpenToExecute(program),
            .agent = OpenToExecute(program)};
  }

 protected:
  void SetUp() override {
    if (::geteuid() != 0) {
      GTEST_SKIP() << "changing the user needs root";
    }
  }
};

TEST_F(SeparateUsersTest, EachChildIsBornAsItsOwnUserWithoutPrivileges) {
  AsSupervisor([] {
    RealSpawner spawner(SetupWithUsers(), Programs(BAOKMS_LAUNCHED));
    const std::string none = "CapPrm:\t0000000000000000\nCapEff:\t0000000000000000\n";
    const std::string first = FactsFrom(spawner.Spawn(ipc::ROLE_WORKER, 0));
    EXPECT_THAT(first, HasSubstr(Line("Uid", kFirstWorker.uid)));
    EXPECT_THAT(first, HasSubstr(Line("Gid", kFirstWorker.gid)));
    EXPECT_THAT(first, HasSubstr("Groups:\t \n"));
    EXPECT_THAT(first, HasSubstr(none));
    const std::string second = FactsFrom(spawner.Spawn(ipc::ROLE_WORKER, 1));
    EXPECT_THAT(second, HasSubstr(Line("Uid", kSecondWorker.uid)));
    const std::string agent = FactsFrom(spawner.Spawn(ipc::ROLE_AUTH_AGENT, 0));
    EXPECT_THAT(agent, HasSubstr(Line("Uid", kAgent.uid)));
    EXPECT_THAT(agent, HasSubstr("Groups:\t" + std::to_string(kAgentGroup) + " \n"));
    EXPECT_THAT(agent, HasSubstr(none));
  });
}

// What the agent of a spawner is born with if its credential is `text` in a file of this user and
// mode, in a directory as systemd makes it for a service.
std::string AgentFacts(const std::string& text, const UserIds& owner, mode_t mode) {
  std::string folder = "/tmp/credentials_XXXXXX";
  EXPECT_NE(::mkdtemp(folder.data()), nullptr);
  const std::string path = folder + "/pin";
  std::ofstream(path) << text;
  EXPECT_EQ(::chmod(path.c_str(), mode), 0);
  EXPECT_EQ(::chown(path.c_str(), owner.uid, owner.gid), 0);
  EXPECT_EQ(::chown(folder.c_str(), kSupervisor.uid, kSupervisor.gid), 0);
  EXPECT_EQ(::chmod(folder.c_str(), 0500), 0);
  std::array<int, 2> facts{};
  EXPECT_EQ(::pipe(facts.data()), 0);
  SeparateUsersTest::AsSupervisor([&path, &facts] {
    ipc::SpawnerSetup setup = SetupWithUsers();
    setup.set_agent_credential(path);
    RealSpawner spawner(setup, SeparateUsersTest::Programs(BAOKMS_LAUNCHED));
    const std::string worker = FactsFrom(spawner.Spawn(ipc::ROLE_WORKER, 0));
    EXPECT_THAT(worker, HasSubstr("descriptors 0 1 2 3 4 5\n"));
    const std::string agent = FactsFrom(spawner.Spawn(ipc::ROLE_AUTH_AGENT, 0));
    EXPECT_EQ(::write(facts[1], agent.data(), agent.size()), static_cast<ssize_t>(agent.size()));
  });
  ::close(facts[1]);
  std::string all(65536, '\0');
  const ssize_t size = ::read(facts[0], all.data(), all.size());
  all.resize(size < 0 ? 0 : static_cast<std::size_t>(size));
  ::close(facts[0]);
  std::filesystem::remove_all(folder);
  return all;
}

TEST_F(SeparateUsersTest, TheAgentIsGivenACredentialThatItsUserMayNotOpen) {
  const std::string agent = AgentFacts("1234", kSupervisor, 0400);
  EXPECT_THAT(agent, HasSubstr(Line("Uid", kAgent.uid)));
  EXPECT_THAT(agent, HasSubstr("descriptors 0 1 2 3 4 5 6\n"));
  EXPECT_THAT(agent, HasSubstr("credential '1234'\n"));
  EXPECT_THAT(AgentFacts("1234", {.uid = 0, .gid = kSupervisor.gid}, 0440),
              HasSubstr("credential '1234'\n"));
}

TEST_F(SeparateUsersTest, TheAgentIsGivenNoCredentialThatAnotherUserCouldHaveMade) {
  EXPECT_THAT(AgentFacts("1234", kFirstWorker, 0444), HasSubstr("credential ''\n"));
  EXPECT_THAT(AgentFacts("1234", kSupervisor, 0444), HasSubstr("credential ''\n"));
  EXPECT_THAT(AgentFacts("1234", kSupervisor, 0200), HasSubstr("credential ''\n"));
}

TEST_F(SeparateUsersTest, KillsAStoppedChildOfAnotherUser) {
  AsSupervisor([] {
    RealSpawner spawner(SetupWithUsers(), Programs("/usr/bin/yes"));
    const UniqueFd channel = spawner.Spawn(ipc::ROLE_WORKER, 1);
    const auto spawned = spawner.Await<ipc::Spawned>(ipc::MessageType::kSpawned);
    ASSERT_TRUE(spawned.has_value());
    // Neither this process nor the spawner itself may signal it, even though it may have just
    // begun.
    while (StatusOf(spawned->pid()).find("Name:\tyes") == std::string::npos) {
      ::usleep(1000);
    }
    EXPECT_NE(::kill(static_cast<pid_t>(spawned->pid()), 0), 0);
    const pid_t stopper = ::fork();
    if (stopper == 0) {
      ::_exit(BecomeUser(kSecondWorker) && ::kill(static_cast<pid_t>(spawned->pid()), SIGSTOP) == 0
                  ? 0
                  : 1);
    }
    int stopped = 1;
    EXPECT_EQ(::waitpid(stopper, &stopped, 0), stopper);
    EXPECT_EQ(stopped, 0);
    ipc::Kill kill;
    kill.set_role(ipc::ROLE_WORKER);
    kill.set_slot(1);
    spawner.Send(ipc::MessageType::kKill, kill);
    const auto exited = spawner.Await<ipc::Exited>(ipc::MessageType::kExited);
    ASSERT_TRUE(exited.has_value());
    EXPECT_EQ(exited->wait_status(), SIGKILL);
  });
}

TEST_F(SeparateUsersTest, TheSpawnerHasTwoCapabilitiesThatNoProgramInherits) {
  AsSupervisor([] {
    RealSpawner spawner(SetupWithUsers(), Programs(BAOKMS_LAUNCHED));
    const UniqueFd channel = spawner.Spawn(ipc::ROLE_WORKER, 0);
    ASSERT_TRUE(spawner.Await<ipc::Spawned>(ipc::MessageType::kSpawned).has_value());
    const std::string status = StatusOf(OnlyChild());
    EXPECT_THAT(status, HasSubstr(Line("Uid", kSupervisor.uid)));
    EXPECT_THAT(status, HasSubstr("Groups:\t" + std::to_string(kAgentGroup)));
    EXPECT_THAT(status, HasSubstr("CapPrm:\t00000000000000c0\n"));
    EXPECT_THAT(status, HasSubstr("CapEff:\t00000000000000c0\n"));
    EXPECT_THAT(status, HasSubstr("CapInh:\t0000000000000000\n"));
    EXPECT_THAT(status, HasSubstr("CapAmb:\t0000000000000000\n"));
    EXPECT_THAT(status, HasSubstr("NoNewPrivs:\t1\n"));
  });
}

TEST_F(SeparateUsersTest, RefusesASetUpThatLeavesASlotWithoutAUser) {
  AsSupervisor([] {
    ipc::SpawnerSetup setup = SetupWithUsers();
    setup.set_workers(3);
    RealSpawner spawner(setup, Programs(BAOKMS_LAUNCHED));
    const UniqueFd channel = spawner.Spawn(ipc::ROLE_WORKER, 2);
    EXPECT_FALSE(spawner.Await<ipc::Spawned>(ipc::MessageType::kSpawned).has_value());
  });
}

}  // namespace
}  // namespace baokms::supervisor
