// What a taken-over supervisor gets from the memory of a child that it has the spawner start: it
// runs under its own filter, as the same user or as one of its own, and races the child's first
// steps.

#include <sys/wait.h>
#include <fcntl.h>
#include <grp.h>
#include <unistd.h>

#include <cerrno>
#include <functional>
#include <string>

#include <gtest/gtest.h>

#include "common/base/process.h"
#include "common/base/unique_fd.h"
#include "common/base/users.h"
#include "ipc/message_type.h"
#include "proto/ipc.pb.h"
#include "proto/setup.pb.h"
#include "supervisor/serve/sandbox.h"
#include "tests/supervisor/spawner/real_spawner.h"

namespace baokms::supervisor {
namespace {

constexpr int kAttempts = 20;  // within the burst that the spawner permits
constexpr int kFailed = 255;

class StartingChildTest : public ::testing::Test {
 protected:
  // How many children's memory an attacker opens when the programs have this mode and all processes
  // one user.
  int OpenedOf(mode_t mode) { return AsSupervisor(mode, Attack); }

  // The same where each role has a user of its own, by an attacker with this one.
  int OpenedBy(const UserIds& attacker, mode_t mode) {
    return AsSupervisor(
        mode, [&attacker](const HelperPrograms& programs) { return AttackAs(attacker, programs); });
  }

  // Whether the spawner runs, or says why not, when its program has this mode and is said to be
  // unreadable.
  bool Runs(mode_t mode) { return AsSupervisor(mode, SpawnerRuns) == 1; }

  bool IsRefused(mode_t mode) { return AsSupervisor(mode, SpawnerRefuses) == 1; }

 private:
  // What the function returns in a process of its own, which becomes a supervisor.
  int AsSupervisor(mode_t mode, const std::function<int(const HelperPrograms&)>& act) {
    const HelperPrograms programs = copies_.Install(mode);
    const pid_t supervisor = ::fork();
    if (supervisor == 0) {
      ::_exit(act(programs));
    }
    int status = 0;
    EXPECT_EQ(::waitpid(supervisor, &status, 0), supervisor);
    EXPECT_TRUE(WIFEXITED(status));
    return WEXITSTATUS(status);
  }

  static ipc::SpawnerSetup Unreadable() {
    ipc::SpawnerSetup setup;
    setup.set_workers(1);
    setup.set_programs_unreadable(true);
    return setup;
  }

  static int SpawnerRuns(const HelperPrograms& programs) {
    if (!BecomeSupervisor()) {
      return kFailed;
    }
    RealSpawner spawner(Unreadable(), programs);
    return spawner.Await<ipc::ConfinementReport>(ipc::MessageType::kConfinementReport) ? 1 : 0;
  }

  static int SpawnerRefuses(const HelperPrograms& programs) {
    if (!BecomeSupervisor()) {
      return kFailed;
    }
    RealSpawner spawner(Unreadable(), programs);
    const auto failure = spawner.Await<ipc::StartFailure>(ipc::MessageType::kStartFailure);
    return failure && failure->step().find("fs.suid_dumpable=0") != std::string::npos ? 1 : 0;
  }

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
    if (!BecomeSupervisor()) {
      return kFailed;
    }
    RealSpawner spawner(1, programs);
    return AttackChildrenOf(spawner);
  }

  static int AttackAs(const UserIds& attacker, const HelperPrograms& programs) {
    if (!SetGroups({}) || !BecomeUserWithCapabilities(kSupervisor) ||
        !KeepUserCapabilities(Heritage::kForPrograms) || !HardenSelf()) {
      return kFailed;
    }
    RealSpawner spawner(SetupWithUsers(), programs);
    if (!BecomeUserWithCapabilities(attacker) || !DropCapabilities()) {
      return kFailed;
    }
    return AttackChildrenOf(spawner);
  }

  static int AttackChildrenOf(RealSpawner& spawner) {
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

// There the user is a second barrier. Who has got past it, with the user of a worker, gets no
// further.
TEST_F(StartingChildTest, NeitherDoTheyWhereEachRoleHasAUser) {
  if (::geteuid() != 0) {
    GTEST_SKIP() << "changing the user needs root";
  }
  EXPECT_EQ(OpenedBy(kSupervisor, 0111), 0);
  EXPECT_EQ(OpenedBy(kSupervisor, 0755), 0);
  EXPECT_EQ(OpenedBy(kFirstWorker, 0111), 0);
  const int opened = OpenedBy(kFirstWorker, 0755);
  EXPECT_GT(opened, 0);
  EXPECT_LE(opened, kAttempts);
}

// fs.suid_dumpable is one value for the whole machine, so a program that can be read stands for it:
// the kernel makes its process dumpable in the same way.
TEST_F(StartingChildTest, AKernelThatMakesThemReadableNeverthelessIsRefused) {
  EXPECT_TRUE(IsRefused(0755));
  EXPECT_TRUE(Runs(0111));
}

}  // namespace
}  // namespace baokms::supervisor
