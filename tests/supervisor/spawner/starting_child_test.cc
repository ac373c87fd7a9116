// What a taken-over supervisor gets from the memory of a child that it has the spawner start: it
// runs as the same user and under its own filter, and races the child's first steps.

#include <sys/wait.h>
#include <fcntl.h>
#include <grp.h>
#include <unistd.h>

#include <cerrno>
#include <string>

#include <gtest/gtest.h>

#include "common/base/process.h"
#include "common/base/unique_fd.h"
#include "ipc/message_type.h"
#include "proto/ipc.pb.h"
#include "supervisor/serve/sandbox.h"
#include "tests/supervisor/spawner/real_spawner.h"

namespace baokms::supervisor {
namespace {

constexpr int kAttempts = 20;  // within the burst that the spawner permits
constexpr int kFailed = 255;

class StartingChildTest : public ::testing::Test {
 protected:
  // How many children's memory an attacker opens when the programs have this mode.
  int OpenedOf(mode_t mode) {
    const HelperPrograms programs = copies_.Install(mode);
    const pid_t attacker = ::fork();
    if (attacker == 0) {
      ::_exit(BecomeSupervisor() ? Attack(programs) : kFailed);
    }
    int status = 0;
    EXPECT_EQ(::waitpid(attacker, &status, 0), attacker);
    EXPECT_TRUE(WIFEXITED(status));
    return WEXITSTATUS(status);
  }

 private:
  // Root could read every program and every memory; the supervisor has no capability.
  static bool BecomeSupervisor() {
    if (::geteuid() == 0 &&
        (::setgroups(0, nullptr) != 0 || ::setresgid(kNobody, kNobody, kNobody) != 0 ||
         ::setresuid(kNobody, kNobody, kNobody) != 0)) {
      return false;
    }
    return HardenSelf().has_value();
  }

  static int Attack(const HelperPrograms& programs) {
    RealSpawner spawner(1, programs);
    if (!EnterSupervisorSandbox(ListenerRights::kNone)) {
      return kFailed;
    }
    int opened = 0;
    for (int round = 0; round < kAttempts; ++round) {
      const UniqueFd channel = spawner.Spawn(ipc::ROLE_WORKER, 0);
      const auto spawned = spawner.Await<ipc::Spawned>(ipc::MessageType::kSpawned);
      if (!spawned || spawned->pid() == 0) {
        return kFailed;
      }
      opened += OpensMemory(spawned->pid()) ? 1 : 0;
      if (!spawner.Await<ipc::Exited>(ipc::MessageType::kExited)) {
        return kFailed;
      }
    }
    return opened;
  }

  // Tries until the child has ended, because it refuses its set-up, and the spawner knows.
  static bool OpensMemory(std::int64_t pid) {
    const std::string path = "/proc/" + std::to_string(pid) + "/mem";
    for (;;) {
      const UniqueFd memory(::open(path.c_str(), O_RDWR | O_CLOEXEC));
      if (memory.valid()) {
        return true;
      }
      if (errno != EACCES && errno != EPERM) {
        return false;
      }
    }
  }

  CopiedPrograms copies_;
};

TEST_F(StartingChildTest, ProgramsThatCanBeReadGiveTheirMemoryAway) {
  const int opened = OpenedOf(0755);
  EXPECT_GT(opened, 0);
  EXPECT_LE(opened, kAttempts);
}

TEST_F(StartingChildTest, ProgramsThatNobodyCanReadDoNot) {
  EXPECT_EQ(OpenedOf(0111), 0);
}

}  // namespace
}  // namespace baokms::supervisor
