#include <chrono>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "supervisor/config/schema_table.h"
#include "tests/supervisor/config/config_texts.h"

namespace baokms::supervisor {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

std::vector<std::string> LoadProblems(std::string_view yaml) {
  std::vector<std::string> lines;
  for (const Problem& problem : Load(yaml).problems) {
    lines.push_back(ToLine(problem));
  }
  return lines;
}

TEST(LoadTest, AcceptsTheValidFiles) {
  EXPECT_THAT(ProblemsOf(JwtKeys()), IsEmpty());
  EXPECT_THAT(ProblemsOf(OAuth2Keys()), IsEmpty());
  EXPECT_THAT(ProblemsOf(CertKeys()), IsEmpty());
}

TEST(LoadTest, FillsDefaults) {
  const Config config = Load(YamlOf(JwtKeys())).document.config;
  EXPECT_EQ(config.server.socket_path, "/run/openbao-kms/kms.sock");
  EXPECT_EQ(config.server.socket_mode, "0660");
  EXPECT_EQ(config.server.metrics_address, "127.0.0.1:8081");
  EXPECT_EQ(config.server.health_address, "127.0.0.1:8082");
  EXPECT_EQ(config.server.max_concurrent_status, 16);
  EXPECT_EQ(config.server.max_concurrent_encrypt, 32);
  EXPECT_EQ(config.server.max_concurrent_decrypt, 64);
  EXPECT_EQ(config.openbao.timeout, std::chrono::seconds(2));
  EXPECT_EQ(config.auth.method, AuthMethod::kJwt);
  EXPECT_EQ(config.auth.login_before_token_expiry, std::chrono::minutes(5));
  EXPECT_EQ(config.auth.token_renewal_increment, std::chrono::hours(1));
  EXPECT_EQ(config.auth.login_timeout, std::chrono::seconds(0));
  EXPECT_EQ(config.auth.jwt.min_remaining_ttl, std::chrono::minutes(2));
  EXPECT_EQ(config.auth.jwt.clock_skew_leeway, std::chrono::seconds(30));
  EXPECT_EQ(config.auth.cert.min_remaining_ttl, std::chrono::hours(24));
  EXPECT_EQ(config.auth.cert.clock_skew_leeway, std::chrono::seconds(30));
  EXPECT_EQ(config.bootstrap.grace_timeout, std::chrono::seconds(60));
  EXPECT_EQ(config.bootstrap.retry_interval, std::chrono::seconds(5));
  EXPECT_EQ(config.status.probe_interval, std::chrono::seconds(30));
  EXPECT_EQ(config.status.deep_probe_interval, std::chrono::minutes(5));
  EXPECT_EQ(config.status.max_staleness, std::chrono::minutes(2));
  EXPECT_EQ(config.state.path, "/var/lib/openbao-kms/state/key-registry.json");
  EXPECT_EQ(config.rotation.mode, RotationMode::kObserved);
  EXPECT_EQ(config.rotation.activation_delay, std::chrono::minutes(2));
  EXPECT_EQ(config.rotation.require_stable_observation_count, 3);
  EXPECT_TRUE(config.rotation.reject_version_rollback);
  EXPECT_EQ(config.logging.level, LogLevel::kInfo);
  EXPECT_EQ(config.logging.format, LogFormat::kJson);
  EXPECT_TRUE(config.logging.log_openbao_request_ids);
  EXPECT_FALSE(config.logging.debug_correlation.enabled);
  EXPECT_EQ(config.logging.debug_correlation.ttl, std::chrono::minutes(15));
  EXPECT_EQ(config.isolation.workers, 2);
  EXPECT_EQ(config.isolation.verify_decrypt, VerifyDecrypt::kSample);
  EXPECT_EQ(config.auth.login_budget_per_minute, 0);
}

TEST(LoadTest, WantsConfigVersionInTheFile) {
  EXPECT_THAT(LoadProblems(YamlOf(Without(JwtKeys(), "configVersion"))),
              ElementsAre("c.yaml: configVersion: is required"));
  EXPECT_THAT(LoadProblems(""), ElementsAre("c.yaml: configVersion: is required"));
  LoadOptions no_file;
  EXPECT_THAT(LoadConfig(no_file).problems, IsEmpty());
  EXPECT_EQ(LoadConfig(no_file).document.config.config_version, ConfigVersion::kV1Alpha1);
}

TEST(LoadTest, RefusesUnknownKeysAtAnyDepth) {
  const std::string yaml =
      "configVersion: v1alpha1\n"
      "serverr: {}\n"
      "server:\n"
      "  sockePath: /run/x\n"
      "  socketpath: /run/x\n"
      "  adminAddress: x\n"
      "auth:\n"
      "  jwt:\n"
      "    oauth2:\n"
      "      wholly: 1\n"
      "transit:\n"
      "  ? [a, b]\n"
      "  : c\n";
  EXPECT_THAT(
      LoadProblems(yaml),
      ElementsAre("c.yaml:2:1: serverr: unknown key; did you mean \"server\"?",
                  "c.yaml:4:3: server.sockePath: unknown key; did you mean \"socketPath\"?",
                  "c.yaml:5:3: server.socketpath: unknown key, upper and lower case matter; did "
                  "you mean \"socketPath\"?",
                  "c.yaml:6:3: server.adminAddress: unknown key",
                  "c.yaml:10:7: auth.jwt.oauth2.wholly: unknown key",
                  "c.yaml:12:5: transit.: unknown key"));
}

TEST(LoadTest, RefusesKeysOfLaterFeatures) {
  for (const std::string_view key : {"transit.decryptCoalescing.mode"}) {
    EXPECT_THAT(ProblemsOf(With(CertKeys(), key, "x")), Contains(HasSubstr("unknown key"))) << key;
  }
}

TEST(LoadTest, RefusesRemovedKeys) {
  for (const std::string_view key :
       {"server.adminAddress", "server.unsafeDebugEndpoints", "auth.tokenStorage", "auth.mountPath",
        "auth.role", "auth.jwtFile", "auth.minJwtRemainingTtl", "transit.useAssociatedData",
        "performance.decryptMicroBatching.enabled", "logging.redactOpenBaoPaths"}) {
    EXPECT_THAT(ProblemsOf(With(JwtKeys(), key, "x")), Contains(HasSubstr("unknown key"))) << key;
  }
}

TEST(LoadTest, RefusesAKeyThatIsThereTwice) {
  EXPECT_THAT(LoadProblems("configVersion: v1alpha1\n"
                           "state: {path: /a, path: /b}\n"
                           "status: {}\n"
                           "status: {}\n"),
              ElementsAre("c.yaml:2:19: state.path: is duplicated: the first one is in line 2",
                          "c.yaml:4:1: status: is duplicated: the first one is in line 3"));
}

TEST(LoadTest, RefusesOtherTypesForEveryKey) {
  struct Row {
    const char* value;
    bool text, number, flag, duration, list;
  };

  // true: the value has the right type for such a key.
  constexpr Row kRows[] = {
      {"word", true, false, false, false, false},        {"'7'", true, false, false, false, false},
      {"0660", false, true, false, false, false},        {"1.5", false, false, false, false, false},
      {"1e3", false, false, false, false, false},        {"true", false, false, true, false, false},
      {"null", false, false, false, false, false},       {"", false, false, false, false, false},
      {"2024-01-02", false, false, false, false, false}, {"30s", true, false, false, true, false},
      {"\"0\"", true, false, false, true, false},        {"[]", false, false, false, false, true},
      {"{}", false, false, false, false, false},
  };
  for (const SchemaRow& row : SchemaTable()) {
    for (const Row& value : kRows) {
      SCOPED_TRACE(std::string(row.key) + ": " + value.value);
      const bool right = ((std::holds_alternative<TextField>(row.field) ||
                           std::holds_alternative<ChoiceField>(row.field)) &&
                          value.text) ||
                         (std::holds_alternative<IntField>(row.field) && value.number) ||
                         (std::holds_alternative<BoolField>(row.field) && value.flag) ||
                         (std::holds_alternative<DurationField>(row.field) && value.duration) ||
                         (std::holds_alternative<TextListField>(row.field) && value.list) ||
                         (std::holds_alternative<IdListField>(row.field) && value.list);
      const auto problems =
          LoadProblems(YamlOf(With({{"configVersion", "v1alpha1"}}, row.key, value.value)));
      if (right) {
        EXPECT_THAT(problems, IsEmpty());
      } else {
        EXPECT_THAT(problems, ElementsAre(HasSubstr(std::string(row.key) + ": ")));
      }
    }
  }
}

TEST(LoadTest, SaysWhatADurationLooksLike) {
  EXPECT_THAT(LoadProblems("configVersion: v1alpha1\nopenbao:\n  timeout: 120\n"),
              ElementsAre("c.yaml:3:3: openbao.timeout: must be a duration string with units, such "
                          "as 30s or 0s, of at most 878400h"));
}

TEST(LoadTest, PointsAtListItems) {
  EXPECT_THAT(LoadProblems("configVersion: v1alpha1\n"
                           "auth:\n"
                           "  jwt:\n"
                           "    expectedAudience:\n"
                           "      - fine\n"
                           "      - 123\n"
                           "server: {allowedPeers: {uids: [0, -1, 4294967295], gids: [x]}}\n"),
              ElementsAre("c.yaml:6:9: auth.jwt.expectedAudience[1]: must be a string: put it in "
                          "quotes",
                          "c.yaml:7:35: server.allowedPeers.uids[1]: is out of range",
                          "c.yaml:7:39: server.allowedPeers.uids[2]: is out of range",
                          "c.yaml:7:59: server.allowedPeers.gids[0]: must be a whole number"));
}

TEST(LoadTest, LimitsListsTextAndNumbers) {
  std::string list = "[a";
  for (std::size_t i = 0; i < kMaxListItems; ++i) {
    list += ", a";
  }
  EXPECT_THAT(ProblemsOf(With(JwtKeys(), "auth.jwt.expectedAudience", list + "]")),
              ElementsAre(HasSubstr("more than 64 entries")));
  EXPECT_THAT(ProblemsOf(With(JwtKeys(), "state.path", "/" + std::string(kMaxTextBytes, 'x'))),
              ElementsAre(HasSubstr("longer than 4096 bytes")));
  EXPECT_THAT(ProblemsOf(With(JwtKeys(), "isolation.workers", "99999999999999999999")),
              ElementsAre(HasSubstr("out of range")));
}

TEST(LoadTest, TakesSectionsThatAreEmpty) {
  EXPECT_THAT(ProblemsOf(With(JwtKeys(), "auth.jwt.oauth2", "{}")), IsEmpty());
  EXPECT_THAT(ProblemsOf(With(JwtKeys(), "logging", "")), IsEmpty());
  EXPECT_THAT(ProblemsOf(With(JwtKeys(), "logging", "[]")),
              ElementsAre(HasSubstr("logging: must be a map of keys")));
  EXPECT_THAT(LoadProblems("- a\n"), Contains(HasSubstr("must be a map of keys")));
}

TEST(LoadTest, FindsAllProblemsInOnePass) {
  const std::string yaml =
      "configVersion: v1alpha1\n"
      "server:\n"
      "    socketMode: 0660\n"
      "    metricsAddress: nowhere\n"
      "openbao:\n"
      "    address: http://bao\n"
      "    timeout: 0s\n"
      "    unknown: 1\n";
  EXPECT_THAT(
      ProblemsOf(yaml),
      ElementsAre("c.yaml:8:5: openbao.unknown: unknown key",
                  "c.yaml: auth.jwt.source: is required", "c.yaml: auth.jwt.mountPath: is required",
                  "c.yaml: auth.jwt.role: is required", "c.yaml: transit.mountPath: is required",
                  "c.yaml: transit.keyName: is required",
                  "c.yaml: transit.keyIdScope.providerName: is required",
                  "c.yaml: transit.keyIdScope.clusterId: is required",
                  "c.yaml: transit.keyIdScope.transitMountId: is required",
                  "c.yaml: transit.keyIdScope.keyLineageId: is required",
                  "c.yaml:2:1: server.socketGroup: is required",
                  "c.yaml:3:5: server.socketMode: must be a string: put it in quotes",
                  "c.yaml:4:5: server.metricsAddress: must have the form host:port",
                  "c.yaml:5:1: openbao.caCertFile: is required",
                  "c.yaml:5:1: openbao.tlsServerName: is required",
                  "c.yaml:5:1: openbao.instanceId: is required",
                  "c.yaml:6:5: openbao.address: must be an https URL",
                  "c.yaml:7:5: openbao.timeout: must be greater than 0"));
}

TEST(LoadTest, DescribesProblemsInTheDocumentedForm) {
  const LoadResult loaded = Load(YamlOf(With(JwtKeys(), "openbao.timeout", "0s")));
  EXPECT_EQ(DescribeProblems(Validate(loaded.document, loaded.problems)),
            "config invalid; openbao.timeout: must be greater than 0\n"
            "c.yaml:12:3: openbao.timeout: must be greater than 0");
}

TEST(LoadTest, NeverRepeatsAValue) {
  for (const SchemaRow& row : SchemaTable()) {
    for (const char* value : {"\" s3cr3t-value \"", "[\" s3cr3t-value\"]", "{s3cr3t-value: 1}"}) {
      for (const Keys& keys : {JwtKeys(), OAuth2Keys(), CertKeys()}) {
        if (std::string_view(value).front() != '{') {
          EXPECT_THAT(ProblemsOf(With(keys, row.key, value)), Not(Contains(HasSubstr("s3cr3t"))));
        }
      }
    }
  }
}

TEST(LoadTest, StopsAtBrokenYaml) {
  EXPECT_THAT(
      ProblemsOf("a: b: c\n"),
      ElementsAre("c.yaml:1:5: not valid YAML: a value that contains \": \" must be quoted"));
  EXPECT_THAT(ProblemsOf("server:\n  socketPath: /x\n   socketMode: \"0660\"\n"),
              ElementsAre("c.yaml:3:14: not valid YAML: this key is indented differently from its "
                          "neighbours"));
  EXPECT_THAT(ProblemsOf("server:\n  socketPath: /x\n socketMode: \"0660\"\n"),
              ElementsAre("c.yaml:3:2: not valid YAML: this key is indented differently from its "
                          "neighbours"));
  EXPECT_THAT(ProblemsOf("server:\n  a: 1\n b\n"),
              ElementsAre("c.yaml:3:2: not valid YAML: check the indentation of this line and the "
                          "previous one"));
}

TEST(LoadTest, SaysWhatIsWrongWithBrokenYaml) {
  struct Row {
    const char* text;
    const char* problem;
  };

  constexpr Row kRows[] = {
      {"server:\n\tsocketPath: /x\n", "2:12: not valid YAML: tabs cannot be used for indentation"},
      {"server:\n  a: 1\n \tb: /x\n", "3:2: not valid YAML: tabs cannot be used for indentation"},
      {"a: 1\nrole:kms\nb: y\n", "2:5: not valid YAML: write a space after the colon"},
      {"auth:\n  role:kms\n  b: y\n", "2:7: not valid YAML: write a space after the colon"},
      {"a: 'x'y\n", "1:7: not valid YAML: text after the end of a value"},
      {"server:\n  a: 1\n- b\n",
       "3:1: not valid YAML: check the indentation of this line and the previous one"},
  };
  for (const Row& row : kRows) {
    EXPECT_THAT(ProblemsOf(row.text), ElementsAre(std::string("c.yaml:") + row.problem));
  }
}

TEST(LoadTest, NamesUnknownKeysBeforeTheKeysThatAreMissingBecauseOfThem) {
  const std::string yaml = YamlOf(JwtKeys());
  std::string misspelt = yaml;
  misspelt.replace(misspelt.find("openbao:"), 8, "openboa:");
  EXPECT_THAT(ProblemsOf(misspelt),
              ElementsAre(HasSubstr("openboa: unknown key; did you mean \"openbao\"?"),
                          HasSubstr("openbao.address: is required"),
                          HasSubstr("openbao.caCertFile: is required"),
                          HasSubstr("openbao.tlsServerName: is required"),
                          HasSubstr("openbao.instanceId: is required")));
}

TEST(LoadTest, SaysInWhichSectionAKeyBelongs) {
  EXPECT_THAT(LoadProblems("configVersion: v1alpha1\njwt: {}\ntokenUrl: x\nmountPath: x\n"),
              ElementsAre("c.yaml:2:1: jwt: unknown key; did you mean \"auth.jwt\"?",
                          "c.yaml:3:1: tokenUrl: unknown key; did you mean "
                          "\"auth.jwt.oauth2.tokenUrl\"?",
                          "c.yaml:4:1: mountPath: unknown key"));
}

TEST(LoadTest, SaysThatThereIsNoFileInsteadOfWhatIsMissing) {
  const LoadResult loaded = LoadConfig({});
  EXPECT_EQ(DescribeProblems(Validate(loaded.document, loaded.problems)),
            "config invalid; no configuration file: name one with --config FILE or "
            "BAO_KMS_PROVIDER_CONFIG");
}

TEST(PrecedenceTest, GoesFlagEnvironmentFileDefault) {
  const std::string file = YamlOf(With(JwtKeys(), "logging.level", "warn"));
  LoadOptions options;
  EXPECT_EQ(Load(YamlOf(JwtKeys()), options).document.config.logging.level, LogLevel::kInfo);
  EXPECT_EQ(Load(file, options).document.config.logging.level, LogLevel::kWarn);
  options.environment = FakeEnvironment({{"BAO_KMS_PROVIDER_LOG_LEVEL", "error"}});
  EXPECT_EQ(Load(file, options).document.config.logging.level, LogLevel::kError);
  options.flags = {{"--log-level", "logging.level", "debug"}};
  EXPECT_EQ(Load(file, options).document.config.logging.level, LogLevel::kDebug);
}

TEST(PrecedenceTest, CountsEmptyVariablesAsUnsetAndEmptyFlagsAsSet) {
  LoadOptions options;
  options.environment = FakeEnvironment({{"BAO_KMS_PROVIDER_SERVER_METRICS_ADDRESS", ""}});
  EXPECT_EQ(Load(YamlOf(JwtKeys()), options).document.config.server.metrics_address,
            "127.0.0.1:8081");
  options.flags = {{"--metrics-address", "server.metricsAddress", ""}};
  EXPECT_EQ(Load(YamlOf(JwtKeys()), options).document.config.server.metrics_address, "");
}

TEST(PrecedenceTest, KnowsEveryVariable) {
  struct Row {
    const char* first;
    const char* second;
    std::string ServerConfig::*member;
  };

  const Row rows[] = {{"BAO_KMS_PROVIDER_SERVER_METRICS_ADDRESS",
                       "BAO_KMS_PROVIDER_SERVER_METRICSADDRESS", &ServerConfig::metrics_address},
                      {"BAO_KMS_PROVIDER_SERVER_HEALTH_ADDRESS",
                       "BAO_KMS_PROVIDER_SERVER_HEALTHADDRESS", &ServerConfig::health_address}};
  LoadOptions options;
  for (const Row& row : rows) {
    options.environment = FakeEnvironment({{row.second, "b:2"}});
    EXPECT_EQ(Load("", options).document.config.server.*row.member, "b:2");
    options.environment = FakeEnvironment({{row.first, "a:1"}, {row.second, "b:2"}});
    EXPECT_EQ(Load("", options).document.config.server.*row.member, "a:1");
  }
  options.environment = FakeEnvironment({{"BAO_KMS_PROVIDER_LOGGING_LEVEL", "error"}});
  EXPECT_EQ(Load("", options).document.config.logging.level, LogLevel::kError);
}

TEST(PrecedenceTest, NamesTheSourceOfABadValue) {
  LoadOptions options;
  options.environment = FakeEnvironment({{"BAO_KMS_PROVIDER_LOG_LEVEL", "loud"}});
  options.flags = {{"--health-address", "server.healthAddress", "nowhere"}};
  EXPECT_THAT(
      ProblemsOf(YamlOf(JwtKeys()), options),
      ElementsAre("--health-address: server.healthAddress: must have the form host:port",
                  "BAO_KMS_PROVIDER_LOG_LEVEL: logging.level: must be one of debug, info, warn, "
                  "error"));
}

TEST(PrecedenceTest, LimitsTheTextOfFlagsAndVariables) {
  LoadOptions options;
  options.environment = FakeEnvironment({{"BAO_KMS_PROVIDER_LOG_LEVEL", std::string(4097, 'x')}});
  EXPECT_THAT(ProblemsOf(YamlOf(JwtKeys()), options),
              ElementsAre("BAO_KMS_PROVIDER_LOG_LEVEL: logging.level: is longer than 4096 bytes"));
}

TEST(LegacySourceTest, IsFileWhenOnlyJwtFileIsSet) {
  const Keys keys = Without(JwtKeys(), "auth.jwt.source");
  EXPECT_THAT(ProblemsOf(keys), IsEmpty());
  EXPECT_EQ(Load(YamlOf(keys)).document.config.auth.jwt.source, JwtSource::kFile);
}

TEST(LegacySourceTest, IsNotGuessedOtherwise) {
  EXPECT_THAT(ProblemsOf(With(JwtKeys(), "auth.jwt.source", "\"\"")),
              ElementsAre(HasSubstr("auth.jwt.source: is required")));
  EXPECT_THAT(
      ProblemsOf(With(Without(JwtKeys(), "auth.jwt.source"), "auth.jwt.oauth2.clientId", "x")),
      ElementsAre(HasSubstr("auth.jwt.source: is required")));
  EXPECT_THAT(ProblemsOf(Without(OAuth2Keys(), "auth.jwt.source")),
              ElementsAre(HasSubstr("auth.jwt.source: is required")));
}

TEST(CredentialsTest, ExpandsTheDirectory) {
  LoadOptions options;
  options.environment = FakeEnvironment({{"CREDENTIALS_DIRECTORY", "/run/credentials/x"}});
  const Keys keys = With(JwtKeys(), "auth.jwt.jwtFile", "${CREDENTIALS_DIRECTORY}/jwt");
  const LoadResult loaded = Load(YamlOf(keys), options);
  EXPECT_EQ(loaded.document.config.auth.jwt.jwt_file, "/run/credentials/x/jwt");
  EXPECT_TRUE(loaded.document.config.auth.credential_from_systemd);
  EXPECT_FALSE(Load(YamlOf(JwtKeys()), options).document.config.auth.credential_from_systemd);
  EXPECT_THAT(Validate(loaded.document, loaded.problems), IsEmpty());
  ASSERT_EQ(Warnings(loaded.document).size(), 1U);
  EXPECT_EQ(Warnings(loaded.document)[0].key, "auth.jwt.jwtFile");

  const Keys cert = With(CertKeys(), "auth.cert.pkcs11.pinFile", "${CREDENTIALS_DIRECTORY}/pin");
  EXPECT_EQ(Load(YamlOf(cert), options).document.config.auth.cert.pkcs11.pin_file,
            "/run/credentials/x/pin");
  const Keys oauth2 =
      With(OAuth2Keys(), "auth.jwt.oauth2.clientSecretFile", "${CREDENTIALS_DIRECTORY}/s");
  EXPECT_EQ(Load(YamlOf(oauth2), options).document.config.auth.jwt.oauth2.client_secret_file,
            "/run/credentials/x/s");
}

TEST(CredentialsTest, WantsADirectoryAndAPlainName) {
  const Keys keys = With(JwtKeys(), "auth.jwt.jwtFile", "${CREDENTIALS_DIRECTORY}/jwt");
  EXPECT_THAT(ProblemsOf(keys), ElementsAre(HasSubstr("needs a plain file name after")));
  LoadOptions options;
  options.environment = FakeEnvironment({{"CREDENTIALS_DIRECTORY", "/run/credentials/x"}});
  for (const char* name : {"", "..", "a/b", "../b"}) {
    const std::string path = std::string("\"${CREDENTIALS_DIRECTORY}/") + name + "\"";
    EXPECT_THAT(ProblemsOf(YamlOf(With(JwtKeys(), "auth.jwt.jwtFile", path)), options),
                ElementsAre(HasSubstr("needs a plain file name after")))
        << name;
  }
  EXPECT_THAT(ProblemsOf(With(JwtKeys(), "openbao.caCertFile", "${CREDENTIALS_DIRECTORY}/ca")),
              ElementsAre(HasSubstr("absolute path")));
}

}  // namespace
}  // namespace baokms::supervisor
