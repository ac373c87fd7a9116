#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/setup/url.h"
#include "supervisor/config/derived.h"
#include "tests/supervisor/config/config_texts.h"

namespace baokms::supervisor {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

TEST(RelationsTest, ProbeIntervalIsBelowStaleness) {
  EXPECT_THAT(ProblemsOf(With(JwtKeys(), {{"status.probeInterval", "2m"}})),
              ElementsAre(HasSubstr("status.probeInterval: must be less than")));
  EXPECT_THAT(ProblemsOf(With(JwtKeys(), {{"status.statusMaxStaleness", "30s"}})),
              ElementsAre(HasSubstr("status.probeInterval: must be less than")));
  EXPECT_THAT(ProblemsOf(With(JwtKeys(), {{"status.probeInterval", "119s"}})), IsEmpty());
}

TEST(RelationsTest, RenewalIncrementIsAboveLoginBefore) {
  EXPECT_THAT(ProblemsOf(With(JwtKeys(), {{"auth.loginBeforeTokenExpiry", "1h"}})),
              ElementsAre(HasSubstr("auth.tokenRenewalIncrement: must be greater than")));
  EXPECT_THAT(ProblemsOf(With(JwtKeys(), {{"auth.loginBeforeTokenExpiry", "59m59s"}})), IsEmpty());
}

TEST(RelationsTest, ListenersDiffer) {
  struct Row {
    const char* metrics;
    const char* health;
    bool same;
  };

  constexpr Row kRows[] = {
      {"127.0.0.1:8081", "127.0.0.1:8081", true},
      {"127.0.0.1:8081", "127.0.0.1:08081", true},
      {"127.0.0.1:0", "127.0.0.1:0", false},
      {"'[::1]:80'", "'[0:0::1]:80'", true},
      {"'[::ffff:10.0.0.1]:80'", "10.0.0.1:80", true},
      {"Localhost:80", "localHOST:80", true},
      {"localhost:80", "localhost:81", false},
      {"0.0.0.0:80", "127.0.0.1:80", false},
      {"localhost:80", "127.0.0.1:80", false},
      {"''", "''", false},
      {"':80'", "':80'", true},
      {"127.0.0.1:81", "127.0.0.1:82", false},
  };
  for (const Row& row : kRows) {
    SCOPED_TRACE(std::string(row.metrics) + " " + row.health);
    const auto problems = ProblemsOf(With(
        JwtKeys(), {{"server.metricsAddress", row.metrics}, {"server.healthAddress", row.health}}));
    if (row.same) {
      EXPECT_THAT(problems, ElementsAre(HasSubstr("server.healthAddress: must differ")));
    } else {
      EXPECT_THAT(problems, IsEmpty());
    }
  }
}

TEST(RelationsTest, AdditionalAddressesDifferFromTheFirst) {
  EXPECT_THAT(ProblemsOf(With(JwtKeys(), {{"openbao.additionalAddresses",
                                           "['https://a:1', 'https://bao.example:8200']"}})),
              ElementsAre(HasSubstr("openbao.additionalAddresses[1]: repeats openbao.address")));
  EXPECT_THAT(ProblemsOf(With(JwtKeys(),
                              {{"openbao.additionalAddresses",
                                "['HTTPS://BAO.example:8200/', 'https://a', 'https://A:443']"}})),
              ElementsAre(HasSubstr("openbao.additionalAddresses[0]: repeats openbao.address"),
                          HasSubstr("openbao.additionalAddresses[2]: is duplicated")));
}

TEST(RelationsTest, DebugCorrelationHasItsConditions) {
  const Keys fine = With(JwtKeys(), {{"logging.level", "debug"},
                                     {"logging.debugCorrelation.enabled", "true"},
                                     {"logging.debugCorrelation.incidentId", "INC-1"}});
  EXPECT_THAT(ProblemsOf(fine), IsEmpty());
  EXPECT_THAT(ProblemsOf(With(fine, {{"logging.level", "info"}})),
              ElementsAre(HasSubstr("needs logging.level debug")));
  EXPECT_THAT(ProblemsOf(With(fine, {{"logging.logOpenBaoRequestIDs", "false"}})),
              ElementsAre(HasSubstr("needs logging.logOpenBaoRequestIDs true")));
  EXPECT_THAT(ProblemsOf(With(fine, {{"logging.debugCorrelation.incidentId", "''"}})),
              ElementsAre(HasSubstr("incidentId: is required")));
  EXPECT_THAT(
      ProblemsOf(With(fine, {{"logging.debugCorrelation.incidentId", std::string(65, 'x')}})),
      ElementsAre(HasSubstr("incidentId: must not be longer than 64 bytes")));
  for (const char* ttl : {"0s", "-1s", "61m"}) {
    EXPECT_THAT(ProblemsOf(With(fine, {{"logging.debugCorrelation.ttl", ttl}})),
                ElementsAre(HasSubstr("ttl: must be greater than 0 and at most 1h")));
  }
}

TEST(RelationsTest, JwtSourcesDoNotMix) {
  EXPECT_THAT(ProblemsOf(With(JwtKeys(), {{"auth.jwt.oauth2.clientId", "x"}})),
              ElementsAre(HasSubstr("auth.jwt.oauth2: must be left out")));
  EXPECT_THAT(ProblemsOf(With(OAuth2Keys(), {{"auth.jwt.jwtFile", "/x"}})),
              ElementsAre(HasSubstr("auth.jwt.jwtFile: must be left out")));
  EXPECT_THAT(ProblemsOf(With(OAuth2Keys(), {{"auth.jwt.expectedIssuer", "''"}})),
              ElementsAre(HasSubstr("auth.jwt.expectedIssuer: is required")));
  EXPECT_THAT(ProblemsOf(With(OAuth2Keys(), {{"auth.jwt.expectedAudience", "[]"}})),
              ElementsAre(HasSubstr("auth.jwt.expectedAudience: needs at least one")));
}

TEST(RelationsTest, SpiffeIsRefusedWithAReason) {
  const Keys spiffe = With(CertKeys(), {{"auth.cert.source", "spiffe"}});
  EXPECT_THAT(ProblemsOf(spiffe), ElementsAre(HasSubstr("spiffe is not supported: OpenBao")));
  EXPECT_EQ(ProblemsOf(With(spiffe, {{"auth.cert.spiffe.workloadAPISocket", "tcp://x"},
                                     {"auth.cert.spiffe.spiffeID", "spiffe://a/b"},
                                     {"auth.cert.spiffe.trustDomain", "other"}}))
                .size(),
            3U);
  EXPECT_EQ(ProblemsOf(With(spiffe, {{"auth.cert.spiffe.workloadAPISocket", "unix:///a"},
                                     {"auth.cert.spiffe.spiffeID", "https://a/b"}}))
                .size(),
            2U);
}

std::vector<std::string> WarningsOf(const Keys& keys) {
  std::vector<std::string> keys_warned;
  for (const Problem& warning : Warnings(Load(YamlOf(keys)).document)) {
    keys_warned.push_back(warning.key);
  }
  return keys_warned;
}

TEST(WarningsTest, NamesWhatIsProbablyNotMeant) {
  EXPECT_THAT(WarningsOf(JwtKeys()), IsEmpty());
  const Keys rows{{"openbao.timeout", "3s"},
                  {"server.socketMode", "'0640'"},
                  {"bootstrap.retryInterval", "61s"},
                  {"status.deepProbeInterval", "29s"},
                  {"auth.loginBeforeTokenExpiry", "25h"},
                  {"auth.tokenRenewalIncrement", "769h"},
                  {"auth.loginTimeout", "61s"},
                  {"auth.jwt.minRemainingTtl", "25h"},
                  {"auth.jwt.clockSkewLeeway", "6m"},
                  {"auth.cert.minRemainingTtl", "2161h"},
                  {"auth.cert.clockSkewLeeway", "6m"},
                  {"bootstrap.graceTimeout", "16m"},
                  {"status.statusMaxStaleness", "16m"},
                  {"rotation.activationDelay", "25h"},
                  {"rotation.activationDelay", "9s"},
                  {"isolation.workers", "1"},
                  {"rotation.rejectVersionRollback", "false"},
                  {"auth.loginBudgetPerMinute", "1"},
                  {"auth.cert.pkcs11.maxSessions", "3"},
                  {"auth.jwt.mountPath", "jwt"},
                  {"openbao.address", "https://bao.example:8200/v1"}};
  for (const auto& [key, value] : rows) {
    EXPECT_THAT(WarningsOf(With(JwtKeys(), {{key, value}})), ElementsAre(key)) << key;
  }
  EXPECT_THAT(WarningsOf(With(JwtKeys(), {{"bootstrap.graceTimeout", "0s"}})), IsEmpty());
}

TEST(DerivedTest, TakesAddressesApart) {
  const auto address = setup::ParseHttpsAddress("https://Bao.Example:8200/a/b/");
  ASSERT_TRUE(address.has_value());
  EXPECT_EQ(address->host, "bao.example");
  EXPECT_EQ(address->port, 8200);
  EXPECT_EQ(address->authority, "Bao.Example:8200");
  EXPECT_EQ(address->prefix, "/a/b");
  EXPECT_EQ(setup::ParseHttpsAddress("https://[::1]")->host, "::1");
  EXPECT_EQ(setup::ParseHttpsAddress("https://x")->port, 443);
  EXPECT_EQ(setup::ParseHttpsAddress("https://x/")->prefix, "");

  const Config config =
      Load(YamlOf(With(JwtKeys(), {{"openbao.additionalAddresses", "['https://c']"}})))
          .document.config;
  const auto endpoints = OpenBaoEndpoints(config);
  ASSERT_TRUE(endpoints.has_value());
  ASSERT_EQ(endpoints->size(), 2U);
  EXPECT_EQ((*endpoints)[1].host, "c");
}

TEST(DerivedTest, ComputesEffectiveLimits) {
  Config config = Load(YamlOf(JwtKeys())).document.config;
  EXPECT_EQ(EffectiveLoginTimeout(config), std::chrono::seconds(5));
  config.openbao.timeout = std::chrono::seconds(9);
  EXPECT_EQ(EffectiveLoginTimeout(config), std::chrono::seconds(9));
  config.auth.login_timeout = std::chrono::seconds(1);
  EXPECT_EQ(EffectiveLoginTimeout(config), std::chrono::seconds(1));
  EXPECT_EQ(EffectiveLoginBudget(config), 12);
  config.isolation.workers = 5;
  EXPECT_EQ(EffectiveLoginBudget(config), 15);
  config.auth.login_budget_per_minute = 7;
  EXPECT_EQ(EffectiveLoginBudget(config), 7);
}

TEST(DerivedTest, ReadsSocketModeAndGroup) {
  Config config = Load(YamlOf(JwtKeys())).document.config;
  EXPECT_EQ(*SocketMode(config), 0660U);
  config.server.socket_group = "987";
  EXPECT_EQ(*SocketGroup(config), 987U);
  config.server.socket_group = "root";
  EXPECT_EQ(*SocketGroup(config), 0U);
  config.server.socket_group = "no-such-group-here";
  EXPECT_FALSE(SocketGroup(config).has_value());
}

TEST(DerivedTest, ReadsListeners) {
  EXPECT_FALSE(ListenerOf("").has_value());
  EXPECT_EQ(ListenerOf("[::1]:80")->host, "::1");
  EXPECT_EQ(ListenerOf(":80")->host, "");
}

TEST(DerivedTest, KnowsTheCredentialOfTheConfiguredMethod) {
  Config config;
  config.auth.jwt.jwt_file = "/jwt";
  config.auth.jwt.oauth2.client_secret_file = "/secret";
  config.auth.cert.pkcs11.pin_file = "/pin";
  config.auth.method = AuthMethod::kJwt;
  config.auth.jwt.source = JwtSource::kFile;
  EXPECT_EQ(CredentialOf(config).key, "auth.jwt.jwtFile");
  EXPECT_EQ(CredentialOf(config).path, "/jwt");
  config.auth.jwt.source = JwtSource::kOAuth2;
  EXPECT_EQ(CredentialOf(config).key, "auth.jwt.oauth2.clientSecretFile");
  EXPECT_EQ(CredentialOf(config).path, "/secret");
  config.auth.method = AuthMethod::kCert;
  EXPECT_EQ(CredentialOf(config).key, "auth.cert.pkcs11.pinFile");
  EXPECT_EQ(CredentialOf(config).path, "/pin");
}

TEST(DerivedTest, FindsPinAndModuleInAUri) {
  Config config;
  config.auth.method = AuthMethod::kCert;
  config.auth.cert.pkcs11.uri =
      "pkcs11:token=t;object=k?module-path=/opt/a%20module.so&pin-source=file:///etc/p%69n";
  EXPECT_EQ(CredentialOf(config).key, "auth.cert.pkcs11.uri");
  EXPECT_EQ(CredentialOf(config).path, "/etc/pin");
  EXPECT_EQ(ModuleOf(config).key, "auth.cert.pkcs11.uri");
  EXPECT_EQ(ModuleOf(config).path, "/opt/a module.so");
  config.auth.cert.pkcs11.uri = "pkcs11:token=t;object=k";
  config.auth.cert.pkcs11.module_path = "/opt/module.so";
  EXPECT_EQ(ModuleOf(config).key, "auth.cert.pkcs11.modulePath");
  EXPECT_EQ(ModuleOf(config).path, "/opt/module.so");
}

}  // namespace
}  // namespace baokms::supervisor
