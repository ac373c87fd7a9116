// Which users the processes get, as root with all capabilities and without any.

#include "supervisor/serve/user_plan.h"

#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <functional>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace baokms::supervisor {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr uid_t kOwner = 64001;
constexpr gid_t kOwnersGroup = 64101;

class UserPlanTest : public ::testing::Test {
 protected:
  void SetUp() override {
    if (::geteuid() != 0) {
      GTEST_SKIP() << "needs root, to have the capabilities";
    }
    ASSERT_NE(::mkdtemp(directory_.data()), nullptr);
    config_.state.path = directory_ + "/key-registry.json";
    config_.isolation.workers = 2;
    config_.isolation.separate_users = SeparateUsers::kAuto;
    config_.isolation.worker_user = "64003:64103";
    config_.isolation.auth_agent_user = "64002:64102";
  }

  void TearDown() override { std::filesystem::remove_all(directory_); }

  void ExpectRefused(const std::string& line) {
    const Started<UserPlan> plan = PlanUsers(config_);
    ASSERT_FALSE(plan);
    EXPECT_EQ(plan.error().exit_code, kConfigurationFailed);
    EXPECT_THAT(plan.error().line, HasSubstr(line));
  }

  // In a process of its own, after `before` has changed it.
  static void Elsewhere(const std::function<void()>& test) {
    const pid_t child = ::fork();
    if (child == 0) {
      test();
      ::_exit(testing::Test::HasFailure() ? 1 : 0);
    }
    int status = 0;
    EXPECT_EQ(::waitpid(child, &status, 0), child);
    EXPECT_EQ(status, 0) << "see above";
  }

  std::string directory_ = ::testing::TempDir() + "state.XXXXXX";
  Config config_;
};

TEST_F(UserPlanTest, OneUserForAllWorkersOrOneForEach) {
  UserPlan shared = PlanUsers(config_).value();
  ASSERT_TRUE(shared.children.has_value());
  const UserIds worker{.uid = 64003, .gid = 64103};
  EXPECT_THAT(shared.children->workers, ElementsAre(worker, worker));
  EXPECT_EQ(shared.children->agent, (UserIds{.uid = 64002, .gid = 64102}));
  config_.isolation.worker_users = {"64003:64103", "64004:64104"};
  const UserPlan own = PlanUsers(config_).value();
  EXPECT_THAT(own.children->workers, ElementsAre(worker, UserIds{.uid = 64004, .gid = 64104}));
}

TEST_F(UserPlanTest, FindsUsersByName) {
  config_.isolation.worker_user = "nobody";
  config_.isolation.auth_agent_user = "daemon";
  const UserPlan plan = PlanUsers(config_).value();
  EXPECT_EQ(plan.children->workers.front().uid, 65534U);
  EXPECT_EQ(plan.children->agent, (UserIds{.uid = 1, .gid = 1}));
}

TEST_F(UserPlanTest, RefusesAUserThatDoesNotExist) {
  config_.isolation.worker_user = "no-such-user";
  ExpectRefused("isolation.workerUser: the user no-such-user does not exist");
  config_.isolation.worker_user = "64003:64103";
  config_.isolation.worker_users = {"64003:64103", "no-such-user"};
  ExpectRefused("isolation.workerUsers: the user no-such-user does not exist");
  config_.isolation.worker_users = {};
  config_.isolation.auth_agent_user = "no-such-user";
  ExpectRefused("isolation.authAgentUser: the user no-such-user does not exist");
  config_.isolation.auth_agent_user = "64002:64102";
  config_.isolation.supervisor_user = "no-such-user";
  ExpectRefused("isolation.supervisorUser: the user no-such-user does not exist");
}

TEST_F(UserPlanTest, RefusesARoleWithTheUserOfAnotherOne) {
  config_.isolation.supervisor_user = "64001:64101";
  config_.isolation.worker_user = "64001:64101";
  ExpectRefused("isolation.workerUser: must not be");
  config_.isolation.worker_user = config_.isolation.auth_agent_user;
  ExpectRefused("isolation.workerUser: must not be");
  config_.isolation.worker_user = "0:0";
  ExpectRefused("isolation.workerUser: must not be");
  config_.isolation.worker_user = "64003:64103";
  config_.isolation.auth_agent_user = "64001:64101";
  ExpectRefused("isolation.authAgentUser: must not be");
}

TEST_F(UserPlanTest, TheSupervisorBecomesTheOwnerOfTheState) {
  EXPECT_FALSE(PlanUsers(config_).value().supervisor.has_value());  // root
  ASSERT_EQ(::chown(directory_.c_str(), kOwner, kOwnersGroup), 0);
  EXPECT_EQ(PlanUsers(config_).value().supervisor, (UserIds{.uid = kOwner, .gid = kOwnersGroup}));
  config_.isolation.supervisor_user = "65532:65532";
  const UserPlan plan = PlanUsers(config_).value();
  EXPECT_EQ(plan.supervisor, (UserIds{.uid = 65532, .gid = 65532}));
  Elsewhere([&] {
    ASSERT_TRUE(EnterPlan(plan));
    EXPECT_EQ(::geteuid(), 65532U);
    EXPECT_EQ(::getegid(), 65532U);
    EXPECT_EQ(::getgroups(0, nullptr), 0);
    EXPECT_TRUE(HasUserCapabilities().value());  // until the spawner has started
    ASSERT_TRUE(DropCapabilities());
    EXPECT_FALSE(HasUserCapabilities().value());
    EXPECT_FALSE(BecomeUser({.uid = 0, .gid = 0}));
  });
}

TEST_F(UserPlanTest, RequireRefusesASupervisorThatIsRoot) {
  config_.isolation.separate_users = SeparateUsers::kRequire;
  const std::string line = "isolation.supervisorUser: must not be root; set it, or give";
  ExpectRefused(line);  // the state directory is root's
  for (const char* root : {"root", "0:0"}) {
    config_.isolation.supervisor_user = root;
    ExpectRefused(line);
  }
  config_.isolation.supervisor_user = "64001:64101";
  EXPECT_TRUE(PlanUsers(config_));
}

TEST_F(UserPlanTest, OffMeansOneUser) {
  config_.isolation.separate_users = SeparateUsers::kOff;
  config_.isolation.worker_user = "no-such-user";
  const UserPlan plan = PlanUsers(config_).value();
  EXPECT_FALSE(plan.children.has_value());
  EXPECT_STREQ(plan.why_single, "off");
  Elsewhere([&] {
    ASSERT_TRUE(EnterPlan(plan));
    EXPECT_FALSE(HasUserCapabilities().value());
  });
}

TEST_F(UserPlanTest, WithoutCapabilitiesAutoMeansOneUserAndRequireFails) {
  Elsewhere([&] {
    ASSERT_TRUE(DropCapabilities());
    const UserPlan plan = PlanUsers(config_).value();
    EXPECT_FALSE(plan.children.has_value());
    EXPECT_FALSE(plan.supervisor.has_value());
    EXPECT_STREQ(plan.why_single, "no_capability");
    config_.isolation.separate_users = SeparateUsers::kRequire;
    ExpectRefused("isolation.separateUsers: is require, but this process cannot change its user");
  });
}

}  // namespace
}  // namespace baokms::supervisor
