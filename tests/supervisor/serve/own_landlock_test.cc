#include "supervisor/serve/own_landlock.h"

#include <sys/wait.h>
#include <seccomp.h>
#include <unistd.h>

#include <cerrno>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace baokms::supervisor {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::Not;

ServeOptions Options() {
  ServeOptions options;
  options.config_path = "/srv/kms/config.yaml";
  options.config.server.socket_path = "/run/openbao-kms/kms.sock";
  options.config.server.health_address = "127.0.0.1:8082";
  options.config.state.path = "/var/lib/kms/state/registry.json";
  options.config.openbao.ca_cert_file = "/srv/tls/ca.crt";
  options.config.auth.method = AuthMethod::kJwt;
  options.config.auth.jwt.source = JwtSource::kFile;
  options.config.auth.jwt.jwt_file = "/srv/kms/credentials/jwt";
  return options;
}

const std::vector<BrokerEndpoint> kEndpoints = {{.host = "bao", .port = 8200}};

TEST(OwnLandlockTest, LeavesWhatTheSupervisorNeeds) {
  const LandlockRules rules = RulesOfSupervisor(Options(), kEndpoints, SocketOrigin::kInherited,
                                                IsolationLevel::kSeparateUsers);
  EXPECT_THAT(rules.readable, Contains("/etc"));
  EXPECT_THAT(rules.readable, Contains("/srv/kms"));
  EXPECT_THAT(rules.readable, Contains("/srv/tls"));
  EXPECT_THAT(rules.readable, Contains("/proc/self"));
  EXPECT_THAT(rules.readable, Not(Contains("/proc")));
  EXPECT_THAT(rules.changeable, ElementsAre("/var/lib/kms/state"));
  EXPECT_TRUE(rules.sockets.empty());
  EXPECT_THAT(rules.connect_ports, ElementsAre(53, 8200));
  EXPECT_THAT(rules.listen_ports, ElementsAre(8082));
  EXPECT_TRUE(rules.restrict_reading && rules.restrict_ports && rules.restrict_scope);
}

TEST(OwnLandlockTest, LeavesNoDirectoryWithTheCredentialOfTheSameUser) {
  const LandlockRules rules = RulesOfSupervisor(Options(), kEndpoints, SocketOrigin::kInherited,
                                                IsolationLevel::kSingleUser);
  EXPECT_THAT(rules.readable, Contains("/srv/kms/config.yaml"));
  EXPECT_THAT(rules.readable, Not(Contains("/srv/kms")));
  EXPECT_THAT(rules.readable, Contains("/srv/tls"));
}

TEST(OwnLandlockTest, LeavesTheSocketOfItsOwnToBeBoundAgain) {
  const LandlockRules rules =
      RulesOfSupervisor(Options(), kEndpoints, SocketOrigin::kBound, IsolationLevel::kSingleUser);
  EXPECT_THAT(rules.sockets, ElementsAre("/run"));
}

// Expects in a process for which a filter answers every question about Landlock so.
void ExpectRequireRefused(int sys_errno, const std::string& why) {
  const pid_t child = ::fork();
  if (child == 0) {
    const scmp_filter_ctx filter = ::seccomp_init(SCMP_ACT_ALLOW);
    const bool installed =
        ::seccomp_rule_add(filter, SCMP_ACT_ERRNO(static_cast<std::uint32_t>(sys_errno)),
                           SCMP_SYS(landlock_create_ruleset), 0) == 0 &&
        ::seccomp_load(filter) == 0;
    const auto state = ConfineSupervisor(LandlockUse::kRequire, LandlockRules());
    const bool refused = !state && state.error().exit_code == kConfigurationFailed &&
                         state.error().line.find(why) != std::string::npos;
    ::_exit(installed && refused ? 0 : 1);
  }
  int status = 0;
  EXPECT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0) << why;
}

TEST(OwnLandlockTest, TellsAKernelWithoutItFromAFilterThatForbidsIt) {
  ExpectRequireRefused(EOPNOTSUPP, "this kernel has no Landlock");
  ExpectRequireRefused(EPERM, "a system call filter of the container");
}

}  // namespace
}  // namespace baokms::supervisor
