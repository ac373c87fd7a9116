// A spawner that may change its user, because each role has one, tries to become root or anybody
// else, and to join a group.

#include <sys/types.h>
#include <grp.h>
#include <seccomp.h>
#include <unistd.h>

#include <gtest/gtest.h>

#include "common/base/users.h"
#include "supervisor/spawner/sandbox.h"
#include "tests/base/filtered_child.h"
#include "tests/redteam/roles.h"

namespace baokms {
namespace {

constexpr UserIds kWorker{.uid = 64003, .gid = 64103};
constexpr UserIds kAgent{.uid = 64002, .gid = 64102};
constexpr uid_t kSomebody = 64999;

Status EnterSpawnerWithUsers() {
  ipc::SpawnerSetup setup;
  ipc::UserSetup* worker = setup.mutable_users()->add_workers();
  worker->set_uid(kWorker.uid);
  worker->set_gid(kWorker.gid);
  setup.mutable_users()->mutable_agent()->set_uid(kAgent.uid);
  setup.mutable_users()->mutable_agent()->set_gid(kAgent.gid);
  SeccompPolicy policy = BAOKMS_TRY(supervisor::BuildSpawnerPolicy(setup));
  return policy.Install();
}

class BecomingUsersTest : public testing::Test {
 protected:
  void SetUp() override {
    if (::geteuid() != 0) {
      GTEST_SKIP() << "outside the filter, the attack needs root";
    }
  }
};

TEST_F(BecomingUsersTest, BecomesAConfiguredUser) {
  for (const UserIds& user : {kWorker, kAgent}) {
    ExpectAllowed(EnterSpawnerWithUsers, [user] {
      return SetGroups({}) && BecomeUser(user) && ClearCapabilities() ? 0 : 1;
    });
  }
}

TEST_F(BecomingUsersTest, BecomesNobodyElse) {
  constexpr uid_t kKeep = static_cast<uid_t>(-1);
  for (const uid_t uid : {uid_t{0}, kSomebody, kKeep}) {
    ExpectReported(
        EnterSpawnerWithUsers, [uid] { return ErrnoOf(::setresuid(uid, uid, uid)); },
        SCMP_SYS(setresuid));
    ExpectReported(
        EnterSpawnerWithUsers, [uid] { return ErrnoOf(::setresgid(uid, uid, uid)); },
        SCMP_SYS(setresgid));
  }
}

// Half a change would keep a way back.
TEST_F(BecomingUsersTest, BecomesNobodyInPart) {
  ExpectReported(
      EnterSpawnerWithUsers,
      [] { return ErrnoOf(::setresuid(kWorker.uid, kWorker.uid, kAgent.uid)); },
      SCMP_SYS(setresuid));
  ExpectReported(
      EnterSpawnerWithUsers, [] { return ErrnoOf(::setresuid(kWorker.uid, kWorker.uid, 0)); },
      SCMP_SYS(setresuid));
  ExpectReported(
      EnterSpawnerWithUsers, [] { return ErrnoOf(::setuid(kWorker.uid)); }, SCMP_SYS(setuid));
  ExpectReported(
      EnterSpawnerWithUsers, [] { return ErrnoOf(::setreuid(kWorker.uid, kWorker.uid)); },
      SCMP_SYS(setreuid));
}

TEST_F(BecomingUsersTest, JoinsNoGroup) {
  const gid_t root = 0;
  ExpectReported(
      EnterSpawnerWithUsers, [&] { return ErrnoOf(::setgroups(1, &root)); }, SCMP_SYS(setgroups));
  ExpectReported(
      EnterSpawnerWithUsers, [] { return ErrnoOf(::setgid(kAgent.gid)); }, SCMP_SYS(setgid));
}

}  // namespace
}  // namespace baokms
