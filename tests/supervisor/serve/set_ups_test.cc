// What the configuration accepts, every child accepts; what it refuses, a child refuses as well.

#include "supervisor/serve/set_ups.h"

#include <set>
#include <string>
#include <string_view>
#include <tuple>

#include <gtest/gtest.h>

#include "authagent/pkcs11/key_selection.h"
#include "common/base/error.h"
#include "common/setup/set_up_checks.h"
#include "ipc/sealed.h"
#include "proto/setup.pb.h"
#include "supervisor/config/serve_options.h"
#include "supervisor/config/validate.h"
#include "tests/supervisor/config/value_rows.h"
#include "worker/worker_options.h"

namespace baokms::supervisor {
namespace {

// Keys that no set-up of a child carries, or not as text that could be wrong.
const std::set<std::string_view> kNotInASetUp{
    "configVersion",
    "server.socketPath",
    "server.socketMode",
    "server.socketGroup",
    "server.metricsAddress",
    "server.healthAddress",
    "openbao.caCertFile",  // its content is
    "auth.jwt.oauth2.caCertFile",
    "auth.cert.source",
    "auth.cert.pkcs11.environment",
    "auth.cert.pkcs11.network",
    "state.path",
    "rotation.mode",
    "isolation.separateUsers",
    "isolation.supervisorUser",  // these become the numbers that a child gets
    "isolation.workerUser",
    "isolation.workerUsers",
    "isolation.authAgentUser",
    "isolation.landlock",
    "logging.level",
    "logging.format",
    "logging.debugCorrelation.incidentId",
};

ServeOptions OptionsOf(const Config& config) {
  ServeOptions options;
  options.config = config;
  options.build.version = "v0.0.0-test";
  return options;
}

// As each child checks what it received; the first refusal.
Status AskChildren(const SetUps& set_ups) {
  BAOKMS_TRY(worker::ReadSetup(set_ups.worker));
  BAOKMS_TRY(setup::CheckAgentSetup(set_ups.agent));
  if (!set_ups.agent.has_pkcs11()) {
    return {};
  }
  const ipc::Pkcs11Setup& pkcs11 = set_ups.agent.pkcs11();
  const auto selection = pkcs11.uri().empty()
                             ? authagent::KeySelection::FromLabels(
                                   pkcs11.module_path(), pkcs11.token_label(), pkcs11.key_label())
                             : authagent::KeySelection::FromUri(pkcs11.uri(), pkcs11.module_path());
  return selection ? Status() : Status(selection.error());
}

TEST(SetUpsTest, ChildrenAcceptWhateverTheConfigurationAccepts) {
  for (const ValueRow& row : AllRows()) {
    for (const std::string& value : row.good) {
      SCOPED_TRACE(row.key + ": " + value);
      const LoadResult loaded = Load(YamlOf(With(BaseKeys(row.base), row.key, value)));
      ASSERT_TRUE(Validate(loaded.document, loaded.problems).empty());
      const Result<SetUps> set_ups = MakeSetUps(OptionsOf(loaded.document.config), "salt", nullptr);
      ASSERT_TRUE(set_ups.has_value()) << set_ups.error().what();
      const Status accepted = AskChildren(*set_ups);
      EXPECT_TRUE(accepted.has_value()) << accepted.error().what();
    }
  }
}

// A value of the wrong type never becomes one of a Config.
bool ReachesASetUp(const ValueRow& row, const LoadResult& loaded) {
  return !kNotInASetUp.contains(row.key) && loaded.problems.empty() &&
         !loaded.document.refused_words.contains(row.key);
}

// Numbers and times are bounded by the configuration alone.
bool IsText(const ValueRow& row, const std::string& value) {
  return value.find_first_not_of("0123456789-") != std::string::npos &&
         row.message.find("greater") == std::string::npos &&
         row.message.find("negative") == std::string::npos &&
         value != "['https://c', 'https://c']";  // each one alone is fine
}

TEST(SetUpsTest, ChildrenRefuseTextsThatTheConfigurationRefuses) {
  int refused = 0;
  int left_out = 0;
  for (const ValueRow& row : AllRows()) {
    for (const std::string& value : row.bad) {
      const std::string yaml = YamlOf(With(BaseKeys(row.base), row.key, value));
      const LoadResult loaded = Load(yaml);
      if (!ReachesASetUp(row, loaded)) {
        continue;
      }
      if (!IsText(row, value)) {
        ++left_out;
        continue;
      }
      EXPECT_FALSE(MakeSetUps(OptionsOf(loaded.document.config), "salt", nullptr).has_value())
          << yaml;
      ++refused;
    }
  }
  // A new value that a child need not refuse, or a message with other words, changes these.
  EXPECT_EQ(refused, 309);
  EXPECT_EQ(left_out, 51);
}

TEST(SetUpsTest, TellTheSpawnerWhetherItsProgramsCanBeRead) {
  const ServeOptions options = OptionsOf(Load(YamlOf(JwtKeys())).document.config);
  for (const bool readable : {false, true}) {
    const Result<SealedSetUps> sealed = SealSetUps(options, "", nullptr, readable);
    ASSERT_TRUE(sealed.has_value());
    const auto spawner = ipc::OpenSealed<ipc::SpawnerSetup>(sealed->inputs.spawner_setup.get());
    ASSERT_TRUE(spawner.has_value());
    EXPECT_EQ(spawner->programs_unreadable(), !readable);
  }
}

TEST(SetUpsTest, NamesTheKeyThatAChildWouldRefuse) {
  Config config = Load(YamlOf(JwtKeys())).document.config;
  config.openbao.tls_server_name = "[::1]";
  const Result<SetUps> set_ups = MakeSetUps(OptionsOf(config), "", nullptr);
  ASSERT_FALSE(set_ups.has_value());
  EXPECT_EQ(set_ups.error().code(), ErrorCode::kInvalidArgument);
  EXPECT_EQ(set_ups.error().what(), "set-up: openbao.tlsServerName");
}

TEST(SetUpsTest, BothAgreeOnTheLongestTimesAndTheNumberOfAddresses) {
  std::string addresses = "['https://c0'";
  for (int i = 1; i < 63; ++i) {
    addresses.append(", 'https://c").append(std::to_string(i)).append("'");
  }
  const std::string most = addresses + "]";
  const std::string more = addresses + ", 'https://d']";
  for (const auto& [key, good, bad] :
       {std::tuple<std::string, std::string, std::string>{"openbao.timeout", "878400h", "878401h"},
        {"auth.loginTimeout", "878400h", "878401h"},
        {"auth.jwt.minRemainingTtl", "878400h", "878401h"},
        {"auth.tokenRenewalIncrement", "878400h", "878401h"},
        {"status.deepProbeInterval", "878400h", "878401h"},
        {"openbao.additionalAddresses", most, more}}) {
    SCOPED_TRACE(key);
    EXPECT_FALSE(ProblemsOf(With(JwtKeys(), key, bad)).empty());
    const LoadResult loaded = Load(YamlOf(With(JwtKeys(), key, good)));
    ASSERT_TRUE(Validate(loaded.document, loaded.problems).empty());
    EXPECT_TRUE(MakeSetUps(OptionsOf(loaded.document.config), "", nullptr).has_value());
  }
}

}  // namespace
}  // namespace baokms::supervisor
