#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "supervisor/cli/version.h"
#include "supervisor/config/reference.h"
#include "supervisor/registry/file_ops.h"
#include "supervisor/registry/pin_latch.h"
#include "supervisor/state_commands/check_report.h"
#include "tests/supervisor/cli/cli_fixture.h"
#include "tests/supervisor/cli/cli_run.h"
#include "tests/supervisor/config/config_texts.h"

namespace baokms::supervisor {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

TEST_F(CliTest, PrintsHelpWithoutArguments) {
  const CliOutcome outcome = Invoke({});
  EXPECT_EQ(outcome.code, 0);
  EXPECT_THAT(outcome.out, HasSubstr("Usage: bao-kms-provider [OPTIONS] [SUBCOMMAND]"));
  EXPECT_EQ(outcome.err, "");
  EXPECT_EQ(Invoke({"--help"}).out, outcome.out);
  EXPECT_EQ(Invoke({"help"}).out, outcome.out);
}

TEST_F(CliTest, ExplainsEveryCommand) {
  struct Row {
    std::vector<std::string> words;
    const char* usage;
  };

  const Row rows[] = {{{"serve"}, "Usage: bao-kms-provider serve [OPTIONS]"},
                      {{"config"}, "Usage: bao-kms-provider config [OPTIONS] [SUBCOMMAND]"},
                      {{"config", "schema"}, "Usage: bao-kms-provider config schema [OPTIONS]"},
                      {{"policy", "openbao"}, "Usage: bao-kms-provider policy openbao [OPTIONS]"},
                      {{"probe"}, "Usage: bao-kms-provider probe [OPTIONS]"},
                      {{"isolation"}, "Usage: bao-kms-provider isolation [OPTIONS]"},
                      {{"completion"}, "Usage: bao-kms-provider completion [OPTIONS]"}};
  for (const Row& row : rows) {
    std::vector<std::string> flag = row.words;
    flag.emplace_back("--help");
    std::vector<std::string> command{"help"};
    command.insert(command.end(), row.words.begin(), row.words.end());
    EXPECT_THAT(Invoke(flag).out, HasSubstr(row.usage));
    EXPECT_EQ(Invoke(command).out, Invoke(flag).out);
    EXPECT_EQ(Invoke(command).code, 0);
  }
  EXPECT_THAT(Invoke({"policy"}).out, HasSubstr("openbao"));
  EXPECT_EQ(Invoke({"policy"}).code, 0);
  EXPECT_THAT(Invoke({"completion"}).out, HasSubstr("powershell"));
}

TEST_F(CliTest, AnswersUsageErrorsWithOneLineAndExitCode2) {
  struct Row {
    std::vector<std::string> arguments;
    const char* error;
  };

  const Row rows[] = {
      {{"nope"}, "unknown command \"nope\" for \"bao-kms-provider\"\n"},
      {{"confg"}, "unknown command \"confg\" for \"bao-kms-provider\"; did you mean \"config\"?\n"},
      {{"policy", "vault"}, "unknown command \"vault\" for \"bao-kms-provider policy\"\n"},
      {{"completion", "tcsh"}, "unknown command \"tcsh\" for \"bao-kms-provider completion\"\n"},
      {{"help", "nope"}, "unknown help topic \"nope\"\n"},
      {{"help", "config", "nope"}, "unknown help topic \"config nope\"\n"},
      {{"--nope"}, "unknown flag: --nope\n"},
      {{"version", "--nope=value"}, "unknown flag: --nope\n"},
      {{"version", "--socket", "/x"}, "unknown flag: --socket\n"},
      {{"serve", "--nope"}, "unknown flag: --nope\n"},
      {{"version", "extra"}, "unexpected argument \"extra\"\n"},
      {{"serve", "version"}, "unexpected argument \"version\"\n"},
      {{"serve", "\x1b[31m"}, "unexpected argument \"?[31m\"\n"},
      {{"--", "serve"}, "unexpected argument \"--\"\n"},
      {{"serve", "++"}, "unexpected argument \"++\"\n"},
      {{"version", "--output", "xml"},
       "unsupported output format \"xml\": expected text or json\n"},
      {{"config", "--output", "yaml"},
       "unsupported output format \"yaml\": expected text or json\n"},
      {{"policy", "openbao", "--output="},
       "unsupported output format \"\": expected text or json\n"},
      {{"probe", "--output", "x"}, "unsupported output format \"x\": expected text or json\n"},
      {{"probe", "--socket", "kms.sock"}, "--socket must be an absolute Unix socket path\n"},
      {{"probe", "--socket", "unix://kms.sock"}, "--socket must be an absolute Unix socket path\n"},
      {{"probe", "--socket="}, "--socket must be an absolute Unix socket path\n"},
      {{"probe", "--timeout", "0s"}, "--timeout must be positive\n"},
      {{"probe", "--timeout", "-1s"}, "--timeout must be positive\n"},
      {{"probe", "--timeout", "10"}, "--timeout must be a duration with a unit, such as 10s\n"},
      {{"probe", "--expected-key-id", "obk2.short"},
       "--expected-key-id must be a provider key ID\n"},
  };
  for (const Row& row : rows) {
    SCOPED_TRACE(row.error);
    const CliOutcome outcome = Invoke(row.arguments);
    EXPECT_EQ(outcome.code, 2);
    EXPECT_EQ(outcome.err, row.error);
    EXPECT_EQ(outcome.out, "");
  }
  for (const std::vector<std::string>& arguments :
       {std::vector<std::string>{"version", "--output"},
        {"--config"},
        {"policy", "openbao", "--include-token-renewal=maybe"}}) {
    EXPECT_EQ(Invoke(arguments).code, 2);
    EXPECT_THAT(Invoke(arguments).err, testing::MatchesRegex("[^\n]+\n"));
  }
}

TEST_F(CliTest, PrintsTheVersion) {
  const BuildInfo build = ThisBuild();
  EXPECT_FALSE(build.version.empty());
  EXPECT_EQ(Invoke({"--version"}).out, "bao-kms-provider version " + build.version + "\n");
  const CliOutcome text = Invoke({"version"});
  EXPECT_EQ(text.code, 0);
  EXPECT_EQ(text.out, "version: " + build.version + "\ncommit: " + build.commit +
                          "\nbuildDate: " + build.build_date + "\ndirty: " + build.dirty + "\n");
  const json parsed = json::parse(Invoke({"version", "--output", " JSON "}).out);
  EXPECT_EQ(parsed["version"], build.version);
  EXPECT_EQ(parsed["dirty"], build.dirty);
}

TEST_F(CliTest, PrintsSchemaAndReference) {
  EXPECT_EQ(Invoke({"config", "schema"}).out, JsonSchema());
  EXPECT_EQ(Invoke({"config", "reference"}).out, ReferenceMarkdown());
}

TEST_F(CliTest, ShowsTheConfiguration) {
  const std::string path = WriteConfig(YamlOf(JwtKeys()));
  const CliOutcome outcome = Invoke({"config", "--no-host-checks", "--config", path});
  EXPECT_EQ(outcome.code, 0);
  EXPECT_EQ(outcome.err, "");
  EXPECT_THAT(outcome.out, testing::MatchesRegex("configVersion: v1alpha1\n"
                                                 "socketPath: /run/openbao-kms/kms.sock\n"
                                                 "metricsAddress: 127.0.0.1:8081\n"
                                                 "healthAddress: 127.0.0.1:8082\n"
                                                 "authMethod: jwt\n"
                                                 "identityFingerprint: cfg1\\.[A-Za-z0-9_-]+\n"));
  const json parsed = json::parse(Invoke({"config", "--config", path, "--output=json"}).out);
  EXPECT_EQ(parsed["authMethod"], "jwt");
  EXPECT_EQ(parsed["identityFingerprint"].get<std::string>().size(), 48U);
}

TEST_F(CliTest, LeavesTheFingerprintOutWhileTheIdentityIsIncomplete) {
  EXPECT_THAT(Invoke({"config"}).out, Not(HasSubstr("identityFingerprint")));
}

TEST_F(CliTest, WantsAConfigurationFile) {
  for (const std::vector<std::string>& words : {std::vector<std::string>{"config"},
                                                {"config", "--no-host-checks"},
                                                {"config", "--config="},
                                                {"serve"},
                                                {"serve", "--check"},
                                                {"isolation"},
                                                {"policy", "openbao"},
                                                {"pin-latch"},
                                                {"rotation-plan"}}) {
    const CliOutcome outcome = Invoke(words);
    EXPECT_EQ(outcome.code, 3) << words.front();
    EXPECT_EQ(outcome.err,
              "config invalid; no configuration file: name one with --config FILE or "
              "BAO_KMS_PROVIDER_CONFIG\n");
  }
}

// The working directory of the test is another one than that of the file.
TEST_F(CliTest, ResolvesARelativePathOnce) {
  const std::string path = WriteConfig(YamlOf(JwtKeys()));
  const std::string relative = fs::relative(path).string();
  ASSERT_NE(relative.front(), '/');
  EXPECT_EQ(Invoke({"config", "--no-host-checks", "--config", relative}).code, 0);
  EXPECT_THAT(Invoke({"config", "--config", relative}).err, Not(HasSubstr("absolute path")));
  EXPECT_THAT(
      Invoke({"config", "--config", "absent.yaml"}).err,
      StartsWith(
          "config invalid; --config: cannot be opened: No such file or directory; create it, or "
          "correct the path\n" +
          (fs::current_path() / "absent.yaml").string()));
}

// A vector of the state files' contract: the identity of golden-v1.
TEST_F(CliTest, PrintsTheDocumentedFingerprint) {
  Keys keys = JwtKeys();
  keys["openbao.instanceId"] = "bao-prod-a";
  keys["transit.mountPath"] = "transit";
  keys["transit.keyName"] = "k8s-workload-a-etcd";
  keys["transit.keyIdScope.providerName"] = "openbao-kms-workload-a";
  keys["transit.keyIdScope.clusterId"] = "workload-a";
  keys["transit.keyIdScope.transitMountId"] = "transit-prod-primary";
  keys["transit.keyIdScope.keyLineageId"] = "01HXEXAMPLEKEYLINEAGEID";
  EXPECT_THAT(Invoke({"config", "--config", WriteConfig(YamlOf(keys))}).out,
              HasSubstr("cfg1.iWfCItBef04qDNcnEXME76HSYDWTVfhtoTlg2YQpdPg\n"));
}

// A file that `serve` would refuse, on a host where its directories and bundle are missing as well.
TEST_F(CliTest, ConfigRefusesWhatServeRefusesWithAllProblems) {
  const std::string path =
      WriteConfig(YamlOf(With(JwtKeys(), {{"openbao.address", "http://bao.example:8200"},
                                          {"openbao.namespace", "team-a/"},
                                          {"openbao.tlsServerName", "'*.bao.example'"},
                                          {"server.socketGroup", "'1234'"}})));
  const CliOutcome served = Invoke({"serve", "--config", path});
  const CliOutcome outcome = Invoke({"config", "--config", path});
  EXPECT_EQ(outcome.code, 3);
  EXPECT_EQ(served.code, 3);
  EXPECT_EQ(outcome.err, served.err);
  EXPECT_THAT(outcome.out, HasSubstr("authMethod: jwt\n"));
  for (const char* problem :
       {":9:3: openbao.address: must be an https URL", ": openbao.namespace: must be a path",
        ": openbao.tlsServerName: must be a host name",
        ": openbao.caCertFile: ", ": state.path: its directory"}) {
    EXPECT_THAT(outcome.err, HasSubstr(problem));
  }
}

TEST_F(CliTest, ConfigValidatesForAnotherMachineAndWarns) {
  const std::string path =
      WriteConfig(YamlOf(With(JwtKeys(), {{"openbao.timeout", "9s"},
                                          {"auth.jwt.mountPath", "jwt"},
                                          {"transit.mountPath", "v1/transit"},
                                          {"server.metricsAddress", "'0.0.0.0:8081'"},
                                          {"openbao.address", "https://bao.example/v1"}})));
  const CliOutcome outcome = Invoke({"config", "--no-host-checks", "--config", path});
  EXPECT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_THAT(outcome.out, HasSubstr("authMethod: jwt\n"));
  EXPECT_THAT(outcome.err, StartsWith("warning: " + path));
  EXPECT_THAT(outcome.err, HasSubstr("openbao.timeout: is not below the KMS timeout"));
  EXPECT_THAT(outcome.err, HasSubstr("auth.jwt.mountPath: does not begin with auth/"));
  EXPECT_THAT(outcome.err, HasSubstr("openbao.address: has a path with /v1"));
  EXPECT_THAT(outcome.err, HasSubstr("transit.mountPath: begins with v1/"));
  EXPECT_THAT(outcome.err, HasSubstr("server.metricsAddress: is not a loopback address"));
  const std::string slash = WriteConfig(YamlOf(With(JwtKeys(), "auth.jwt.mountPath", "/auth/jwt")));
  EXPECT_THAT(Invoke({"config", "--config", slash}).err, Not(HasSubstr("does not begin with")));
}

// Neither a variable that is missing here nor one that is set here decides about another machine.
TEST_F(CliTest, ConfigLeavesOutThisEnvironmentForAnotherMachine) {
  const FakeVariables here{{"HTTPS_PROXY", "socks5://proxy.example:1080"},
                           {"BAO_KMS_PROVIDER_SERVER_METRICS_ADDRESS", "nowhere"}};
  const std::string jwt =
      WriteConfig(YamlOf(With(JwtKeys(), "auth.jwt.jwtFile", "${CREDENTIALS_DIRECTORY}/jwt")));
  const CliOutcome outcome = InvokeWith(here, {"config", "--no-host-checks", "--config", jwt});
  EXPECT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_THAT(outcome.out, HasSubstr("metricsAddress: 127.0.0.1:8081\n"));
  EXPECT_THAT(outcome.err, HasSubstr("auth.jwt.jwtFile: is a systemd credential"));
  EXPECT_THAT(InvokeWith(here, {"config", "--config", jwt}).err,
              HasSubstr("auth.jwt.jwtFile: needs a plain file name after"));
  const std::string tab = WriteConfig(
      YamlOf(With(JwtKeys(), "auth.jwt.jwtFile", "\"${CREDENTIALS_DIRECTORY}/a\\tb\"")));
  EXPECT_THAT(InvokeWith(here, {"config", "--no-host-checks", "--config", tab}).err,
              HasSubstr("auth.jwt.jwtFile: must not contain NUL, CR, LF or TAB"));

  const std::string oauth2 = WriteConfig(YamlOf(
      With(OAuth2Keys(), "auth.jwt.oauth2.clientSecretFile", "${CREDENTIALS_DIRECTORY}/secret")));
  EXPECT_EQ(InvokeWith(here, {"config", "--no-host-checks", "--config", oauth2}).code, 0);
  const std::string pin = WriteConfig(
      YamlOf(With(CertKeys(), "auth.cert.pkcs11.pinFile", "${CREDENTIALS_DIRECTORY}/pin")));
  EXPECT_EQ(InvokeWith(here, {"config", "--no-host-checks", "--config", pin}).code, 0);

  const std::string wrong =
      WriteConfig(YamlOf(With(JwtKeys(), "auth.jwt.jwtFile", "${CREDENTIALS_DIRECTORY}/a/b")));
  EXPECT_THAT(InvokeWith(here, {"config", "--no-host-checks", "--config", wrong}).err,
              HasSubstr("auth.jwt.jwtFile: needs a plain file name after"));
}

TEST_F(CliTest, AnswersABadFileWithExitCode3) {
  const std::string path = WriteConfig("configVersion: v1alpha1\nserver:\n  socketMode: 0660\n");
  for (const std::vector<std::string>& words :
       {std::vector<std::string>{"config"}, {"policy", "openbao"}, {"serve"}}) {
    std::vector<std::string> arguments = words;
    arguments.insert(arguments.end(), {"--config", path});
    const CliOutcome outcome = Invoke(arguments);
    EXPECT_EQ(outcome.code, 3);
    EXPECT_EQ(outcome.out, "");
    EXPECT_THAT(outcome.err, StartsWith("config invalid; "));
    EXPECT_THAT(outcome.err, HasSubstr("\n" + path + ":3:3: server.socketMode: must be a string"));
    EXPECT_FALSE(outcome.served.has_value());
  }
}

TEST_F(CliTest, TakesTheConfigurationPathFromFlagThenEnvironment) {
  const std::string good = WriteConfig(YamlOf(JwtKeys()));
  const FakeVariables second{{"BAO_KMS_PROVIDER_CONFIG_PATH", good}};
  EXPECT_THAT(InvokeWith(second, {"config"}).out, HasSubstr("identityFingerprint"));
  const FakeVariables both{{"BAO_KMS_PROVIDER_CONFIG_PATH", good},
                           {"BAO_KMS_PROVIDER_CONFIG", "/absent"}};
  EXPECT_EQ(InvokeWith(both, {"config"}).code, 3);
  EXPECT_EQ(InvokeWith(both, {"config", "--no-host-checks", "--config", good}).code, 0);
  EXPECT_EQ(InvokeWith(both, {"--config", good, "config", "--no-host-checks"}).code, 0);
  // A flag that is set to nothing is set.
  EXPECT_THAT(InvokeWith(both, {"config", "--config="}).out, Not(HasSubstr("identityFingerprint")));
  const FakeVariables empty{{"BAO_KMS_PROVIDER_CONFIG", ""},
                            {"BAO_KMS_PROVIDER_CONFIG_PATH", good}};
  EXPECT_EQ(InvokeWith(empty, {"config", "--no-host-checks"}).code, 0);
}

TEST_F(CliTest, LetsFlagsReplaceKeys) {
  for (const std::vector<std::string>& arguments :
       {std::vector<std::string>{"config", "--metrics-address", ""},
        {"config", "--metrics-address="},
        {"--metrics-address=", "config"},
        {"config", "--metrics-address=x:1", "--metrics-address="}}) {
    EXPECT_THAT(Invoke(arguments).out, HasSubstr("metricsAddress: \n"));
    EXPECT_THAT(Invoke(arguments).out, HasSubstr("healthAddress: 127.0.0.1:8082\n"));
  }
  EXPECT_THAT(Invoke({"config", "--health-address=[::1]:1"}).out,
              HasSubstr("healthAddress: [::1]:1\n"));
  const CliOutcome bad = Invoke(
      {"policy", "openbao", "--config", WriteConfig(YamlOf(JwtKeys())), "--log-level", "loud"});
  EXPECT_EQ(bad.code, 3);
  EXPECT_EQ(bad.err,
            "config invalid; logging.level: must be one of debug, info, warn, error\n"
            "--log-level: logging.level: must be one of debug, info, warn, error\n");
}

TEST_F(CliTest, WritesThePolicy) {
  const std::string path = WriteConfig(YamlOf(JwtKeys()));
  const CliOutcome outcome = Invoke({"policy", "openbao", "--config", path});
  EXPECT_EQ(outcome.code, 0);
  EXPECT_EQ(outcome.out,
            "# Read the key's versions and settings.\n"
            "path \"transit/keys/etcd\" {\n  capabilities = [\"read\"]\n}\n\n"
            "# Encrypt with the key.\n"
            "path \"transit/encrypt/etcd\" {\n  capabilities = [\"update\"]\n}\n\n"
            "# Decrypt with the key.\n"
            "path \"transit/decrypt/etcd\" {\n  capabilities = [\"update\"]\n}\n\n"
            "# Read whether encryption may create keys.\n"
            "path \"transit/config/keys\" {\n  capabilities = [\"read\"]\n}\n\n"
            "# Renew this token.\n"
            "path \"auth/token/renew-self\" {\n  capabilities = [\"update\"]\n}\n\n");
  EXPECT_THAT(Invoke({"policy", "openbao", "--config", path, "--include-token-renewal=false"}).out,
              Not(HasSubstr("renew-self")));
  EXPECT_EQ(Invoke({"policy", "openbao", "--config", path, "--include-token-renewal"}).out,
            outcome.out);
  const json parsed =
      json::parse(Invoke({"policy", "openbao", "--config", path, "--output", "json"}).out);
  EXPECT_EQ(parsed["path"]["transit/keys/etcd"]["capabilities"], (json{"read"}));
  EXPECT_EQ(parsed["path"].size(), 5U);
}

TEST_F(CliTest, QuotesThePolicysPaths) {
  const std::string path = WriteConfig(YamlOf(With(JwtKeys(), "transit.mountPath", R"('a"b\c')")));
  EXPECT_THAT(Invoke({"policy", "openbao", "--config", path}).out,
              HasSubstr(R"(path "a\"b\\c/keys/etcd" {)"));
}

TEST_F(CliTest, RefusesAPolicyForAMountThatAPolicyCannotName) {
  for (const char* mount : {"'a/+'", "'+/a'", "'+'", "'a{{b}}'", "'a${b}'"}) {
    const std::string path = WriteConfig(YamlOf(With(JwtKeys(), "transit.mountPath", mount)));
    const CliOutcome outcome = Invoke({"policy", "openbao", "--config", path});
    EXPECT_EQ(outcome.code, 1) << mount;
    EXPECT_EQ(outcome.out, "") << mount;
    EXPECT_THAT(outcome.err, HasSubstr("transit.mountPath holds")) << mount;
  }
}

TEST_F(CliTest, ReportsWhatServeFindsOnTheHost) {
  const std::string path =
      WriteConfig(YamlOf(With(JwtKeys(), "openbao.caCertFile", root_ + "/absent.crt")), 0644);
  const CliOutcome outcome = Invoke({"serve", "--config", path});
  EXPECT_EQ(outcome.code, 3);
  EXPECT_THAT(outcome.err, HasSubstr("mode 0644, at most 0640 is allowed; run chmod 0640 "));
  EXPECT_THAT(outcome.err, HasSubstr("openbao.caCertFile: cannot be opened: No such file"));
  EXPECT_FALSE(outcome.served.has_value());
}

TEST_F(CliTest, SaysWhetherAPinLatchWasCleared) {
  fs::create_directory(root_ + "/state");
  const std::string state = root_ + "/state/key-registry.json";
  const std::string path = WriteConfig(YamlOf(With(JwtKeys(), "state.path", state)));
  SystemFileOps ops;
  const auto latch = PinLatch::Open(ops, state);
  ASSERT_TRUE(latch.has_value());
  const PinSalt salt = latch->Salt().value();
  ASSERT_EQ(latch->Begin(salt, 7), PinPermission::kAllowed);
  ASSERT_TRUE(latch->Refuse(salt, 7).has_value());
  EXPECT_EQ(Invoke({"pin-latch", "--config", path}).out, "pinLatch: refused\n");
  const std::vector<std::string> clear{"pin-latch", "--clear", "--config", path};
  EXPECT_EQ(Invoke(clear).out, "pinLatch: none\ncleared: true\n");
  EXPECT_EQ(Invoke(clear).out, "pinLatch: none\ncleared: false\n");
}

// The flags of the commands around the registry, which end in exit code 2 before anything is read.
TEST(StateFlagsTest, RefusesFlagsThatDoNotGoTogether) {
  const std::string hash = "krs1." + std::string(43, 'A');
  const std::vector<std::vector<std::string>> refused = {
      {"verify-rotation", "--cacert", "/ca"},
      {"verify-rotation", "--prefix", "/registry/"},
      {"verify-rotation", "--scan-etcd", "https://etcd:2379"},
      {"verify-rotation", "--scan-etcd", "etcd:2379", "--cacert", "/ca"},
      {"verify-rotation", "--scan-etcd", "http://etcd:2379"},
      {"verify-rotation", "--scan-etcd", "http://192.0.2.1:2379"},
      {"verify-rotation", "--scan-etcd", "http://127.0.0.1:2379", "--cacert", "/ca"},
      {"verify-rotation", "--scan-etcd", "https://etcd:2379/path", "--cacert", "/ca"},
      {"verify-rotation", "--scan-etcd", "https://etcd:2379", "--cacert", "/ca", "--cert", "/c"},
      {"verify-rotation", "--scan-etcd", "https://etcd:2379", "--cacert", "/ca", "--key", "/k"},
      {"verify-rotation", "--scan-etcd", "https://etcd:2379", "--cacert", "/ca", "--prefix="},
      {"retire-versions"},
      {"retire-versions", "--before-version", "1"},
      {"retire-versions", "--before-version", "02"},
      {"retire-versions", "--before-version", "2", "--apply"},
      {"retire-versions", "--before-version", "2", "--expected-state-hash", hash},
      {"retire-versions", "--before-version", "2", "--apply", "--expected-state-hash", "krs1.x"},
      {"restore-versions", "--versions", ""},
      {"restore-versions", "--versions", "1,,2"},
      {"restore-versions", "--versions", "2,2"},
      {"recover-state", "--apply"},
      {"recover-state", "--expected-active-key-id-hash", "short"},
      {"migrate-state", "--expected-state-hash", hash},
      {"export-state"},
      {"import-state", "--apply", "--expected-state-hash", hash},
      {"rotation-plan", "extra"},
      {"rotation-plan", "--output", "yaml"},
  };
  for (const auto& arguments : refused) {
    const CliOutcome outcome = Invoke(arguments);
    EXPECT_EQ(outcome.code, 2) << arguments.front() << " " << arguments.back();
    EXPECT_EQ(outcome.out, "");
    EXPECT_EQ(std::ranges::count(outcome.err, '\n'), 1) << outcome.err;
  }
}

TEST(StateFlagsTest, WantsAConfigurationBeforeAnythingElse) {
  const std::vector<std::vector<std::string>> commands = {
      {"rotation-plan"},
      {"verify-rotation", "--scan-etcd", "http://[::1]:2379"},
      {"verify-rotation", "--scan-etcd", "https://etcd", "--cacert=/a", "--cert=/b", "--key=/c"},
      {"retire-versions", "--before-version", "2"},
      {"restore-versions", "--versions", "1, 2"},
      {"recover-state"},
      {"migrate-state"},
      {"export-state", "--output-file", "/nowhere"},
      {"import-state", "--input-file", "/nowhere"},
  };
  for (const auto& arguments : commands) {
    EXPECT_EQ(Invoke(arguments).code, 3) << arguments.front();
  }
}

TEST(CheckReportTest, HasTheDocumentedForms) {
  CheckReport report{.name = "probe"};
  report.Add(CheckStatus::kPass, "a.b", "Title", "message");
  report.Add(CheckStatus::kWarn, "d", "W", "x");
  EXPECT_FALSE(report.Failed());
  EXPECT_EQ(ToString(report, OutputFormat::kText),
            "probe\n[pass] a.b: Title - message\n[warn] d: W - x\n");
  EXPECT_EQ(
      ToString(CheckReport{"probe", {{"a", "T", CheckStatus::kFail, "why"}}}, OutputFormat::kJson),
      "{\n  \"name\": \"probe\",\n  \"checks\": [\n    {\n      \"id\": \"a\",\n"
      "      \"title\": \"T\",\n      \"status\": \"fail\",\n"
      "      \"message\": \"why\"\n    }\n  ]\n}\n");
  report.Add(CheckStatus::kFail, "e", "F", "");
  EXPECT_TRUE(report.Failed());
  EXPECT_EQ(ToString(CheckReport{"n", {{"a", "T", CheckStatus::kSkip, ""}}}, OutputFormat::kText),
            "n\n[skip] a: T\n");
  EXPECT_THAT(ToString(CheckReport{"n", {{"a", "T", CheckStatus::kSkip, ""}}}, OutputFormat::kJson),
              Not(HasSubstr("message")));
}

TEST(StreamTest, DoesNotSucceedWithoutOutput) {
  std::ofstream out("/dev/full");
  std::ostringstream err;
  const std::vector<std::string> arguments{"config", "schema"};
  EXPECT_EQ(RunCli(arguments, {}, {out, err}, {}), 1);
  EXPECT_EQ(err.str(), "standard output cannot be written\n");
}

}  // namespace
}  // namespace baokms::supervisor
