#include "tests/supervisor/config/value_rows.h"

#include <string>
#include <utility>
#include <vector>

namespace baokms::supervisor {
namespace {

const std::vector<std::string> kGoodIds{"x", "'a b <&> \xc3\xa9'", "'0123'"};
const std::vector<std::string> kBadIds{
    "' x'",      "'x '",      "\"a\\tb\"",    "\"a\\nb\"",
    "\"a\\0b\"", "\"a\\rb\"", "\"\\u00a0x\"", std::string(1025, 'x')};
const std::vector<std::string> kBadRequiredIds{"''", "'  '"};
const std::vector<std::string> kGoodMounts{"transit", "a/b/c", "'a b'"};
const std::vector<std::string> kBadMounts{"/a",     "a/", "a//b", "./a",
                                          "a/../b", "..", "' a'", "\"a\\u0001\""};
const std::vector<std::string> kBadPaths{"relative", "./x", "\"/a\\0b\"", "\"/a\\nb\""};
const std::vector<std::string> kGoodUrls{"https://b", "HTTPS://B:1/prefix/", "'https://[::1]:8200'",
                                         "https://10.0.0.1:8200"};
const std::string kLongLabel(64, 'a');
const std::vector<std::string> kBadUrls{"http://b",
                                        "b:8200",
                                        "https://",
                                        "https:///x",
                                        "https://u@b",
                                        "https://u:p@b",
                                        "https://b#f",
                                        "https://b:0",
                                        "https://b:65536",
                                        "'https://b:'",
                                        "https://b:x",
                                        "'https://b b'",
                                        "'https://[::1'",
                                        "'https://[x]:1'",
                                        "https:b",
                                        "\"https://b/\\u0001\"",
                                        "https://b%41",
                                        "//b",
                                        "'https://b:+1'",
                                        "https://...",
                                        "https://a..b",
                                        "https://.b",
                                        "https://b..",
                                        "https://a.b.256",
                                        "https://" + kLongLabel + ".b"};

std::vector<std::string> Join(std::vector<std::string> a, const std::vector<std::string>& b) {
  a.insert(a.end(), b.begin(), b.end());
  return a;
}

std::vector<ValueRow> IdRows() {
  std::vector<ValueRow> rows;
  for (const char* key : {"openbao.instanceId", "auth.jwt.role", "transit.keyIdScope.providerName",
                          "transit.keyIdScope.clusterId", "transit.keyIdScope.transitMountId",
                          "transit.keyIdScope.keyLineageId"}) {
    rows.push_back({key, kGoodIds, Join(kBadIds, kBadRequiredIds), ""});
  }
  for (const char* key : {"auth.jwt.expectedIssuer", "auth.jwt.expectedSubject"}) {
    rows.push_back({key, Join(kGoodIds, {"''"}), kBadIds, ""});
  }
  rows.push_back(
      {"auth.cert.pkcs11.keyLabel", kGoodIds, Join(kBadIds, kBadRequiredIds), "", Base::kCert});
  rows.push_back({"auth.cert.pkcs11.tokenLabel", Join(kGoodIds, {std::string(32, 'x')}),
                  Join(Join(kBadIds, kBadRequiredIds), {std::string(33, 'x')}), "", Base::kCert});
  rows.push_back({"auth.cert.name", Join(kGoodIds, {"''"}), kBadIds, "", Base::kCert});
  rows.push_back({"logging.debugCorrelation.incidentId", Join(kGoodIds, {"''"}), kBadIds, ""});
  return rows;
}

std::vector<ValueRow> PathRows() {
  const std::vector<std::string> bad = Join(kBadPaths, {"''"});
  return {{"openbao.caCertFile", {"/a"}, bad, ""},
          {"auth.jwt.jwtFile", {"/a b"}, bad, ""},
          {"state.path",
           {"/a/b.json", "/a", "/a/" + std::string(240, 'x')},
           Join(bad, {"/", "/a/", "/a/.", "/a/..", "/a/" + std::string(241, 'x')}),
           ""},
          {"auth.jwt.oauth2.clientSecretFile", {"/a"}, bad, "", Base::kOAuth2},
          {"auth.jwt.oauth2.caCertFile", {"/a", "''"}, kBadPaths, "", Base::kOAuth2},
          {"auth.cert.pkcs11.certificateFile", {"/a"}, bad, "", Base::kCert},
          {"auth.cert.pkcs11.modulePath", {"/a"}, bad, "", Base::kCert},
          {"auth.cert.pkcs11.pinFile", {"/a"}, bad, "", Base::kCert},
          {"auth.cert.pkcs11.stateDirectory", {"/a", "''"}, kBadPaths, "", Base::kCert}};
}

std::vector<ValueRow> DurationRows() {
  std::vector<ValueRow> rows;
  const std::string positive = "must be greater than 0";
  for (const char* key : {"openbao.timeout", "auth.jwt.minRemainingTtl", "bootstrap.retryInterval",
                          "status.deepProbeInterval", "rotation.activationDelay",
                          "status.probeInterval", "auth.loginBeforeTokenExpiry"}) {
    rows.push_back({key, {"1s", "'1m0.5s'"}, {"0s", "'0'", "-1s"}, positive});
  }
  rows.push_back({"status.statusMaxStaleness", {"1h"}, {"0s", "-1h"}, positive});
  rows.push_back({"auth.tokenRenewalIncrement", {"2h"}, {"0s", "-1h"}, positive});
  rows.push_back({"auth.cert.minRemainingTtl", {"1s"}, {"0s", "-1s"}, positive, Base::kCert});
  const std::string negative = "must not be negative";
  rows.push_back({"auth.loginTimeout", {"0s", "8s"}, {"-1ns"}, negative});
  rows.push_back({"auth.jwt.clockSkewLeeway", {"0s", "1m"}, {"-1s"}, negative});
  rows.push_back({"auth.cert.clockSkewLeeway", {"0s", "1m"}, {"-1s"}, negative, Base::kCert});
  rows.push_back({"bootstrap.graceTimeout", {"0s", "1m"}, {"-1s"}, negative});
  rows.push_back({"logging.debugCorrelation.ttl", {"15m", "0s"}, {"15"}, "duration string"});
  return rows;
}

std::vector<ValueRow> NumberAndChoiceRows() {
  const std::vector<std::string> good{"1", "1024", "0x10", "010"};
  const std::vector<std::string> bad{"0", "-1", "1025"};
  return {
      {"configVersion", {"v1alpha1"}, {"v1", "V1ALPHA1", "''"}, ""},
      {"server.maxConcurrentStatus", good, bad, "must be from 1 to 1024"},
      {"server.maxConcurrentEncrypt", good, bad, "must be from 1 to 1024"},
      {"server.maxConcurrentDecrypt", good, bad, "must be from 1 to 1024"},
      {"server.allowedPeers.uids",
       {"[]", "[0, 1000, 4294967294]"},
       {"[-1]", "[4294967295]"},
       "out of range"},
      {"server.allowedPeers.gids", {"[]", "[0]"}, {"[-1]", "[4294967295]"}, "out of range"},
      {"auth.loginBudgetPerMinute", {"0", "1", "600"}, {"-1", "601"}, "must be from 0 to 600"},
      {"isolation.separateUsers", {"auto", "require", "off"}, {"on", "true"}, ""},
      {"isolation.landlock", {"best-effort", "require", "off"}, {"on", "auto"}, ""},
      {"isolation.workers", {"1", "16"}, {"0", "17", "-1"}, "must be from 1 to 16"},
      {"isolation.verifyDecrypt", {"off", "sample", "always", "''"}, {"on", "Off"}, ""},
      {"rotation.requireStableObservationCount", {"1", "9"}, {"0", "-1"}, "must be from 1"},
      {"auth.cert.pkcs11.maxSessions",
       {"2", "2147483647"},
       {"0", "1", "-2"},
       "must be at least 2",
       Base::kCert},
      {"auth.cert.pkcs11.uri",
       {"'pkcs11:token=t;object=o'", "'PKCS11:token=t;object=o'"},
       {"token=t", "'pkcs11:token=t?pin-source=file://host/pin'",
        "'pkcs11:token=t?pin-source=file:pin'", "'pkcs11:token=t?pin-source=pin'",
        "'pkcs11:type=cert'", "'pkcs11:slot-id=x'", "'pkcs11:library-version=x'",
        "'pkcs11:?module-path=x'", "'pkcs11:token=a b'", "'pkcs11:token=t;object=o?pin-value=1'"},
       "must ",
       Base::kCertUri},
      {"auth.cert.pkcs11.environment",
       {"[]", "[SLOTCONFIG]", "[_a1, B]"},
       {"[1A]", "['']", "[A-B]", "[LD_PRELOAD]", "[GLIBC_TUNABLES]", "[OPENSSL_CONF]", "[TZ]"},
       "must ",
       Base::kCert},
      {"auth.cert.pkcs11.network",
       {"none", "unix", "inet", "''"},
       {"all", "None"},
       "",
       Base::kCert},
      {"rotation.rejectVersionRollback", {"true", "false", "TRUE"}, {"yes", "0"}, "true or false"},
      {"logging.logOpenBaoRequestIDs", {"true", "false"}, {"'true'"}, "true or false"},
      {"logging.debugCorrelation.enabled", {"false"}, {"off"}, "true or false"},
      {"auth.method", {"jwt"}, {"JWT", "token", "''"}, ""},
      {"auth.jwt.source", {"file"}, {"File", "''", "env"}, ""},
      {"auth.cert.source", {"pkcs11"}, {"file", "''", "PKCS11"}, "", Base::kCert},
      {"auth.jwt.oauth2.authMethod",
       {"client_secret_basic", "client_secret_post"},
       {"private_key_jwt", "''"},
       "",
       Base::kOAuth2},
      {"rotation.mode", {"observed"}, {"active", "''"}, ""},
      {"logging.level", {"debug", "info", "warn", "error"}, {"INFO", "trace", "''"}, ""},
      {"logging.format", {"json", "text"}, {"JSON", "xml", "''"}, ""},
  };
}

const std::vector<std::string> kGoodServerNames{"x",         "bao.example",  "bao.example.",
                                                "a_b.c-d",   "10.0.0.1",     "'::1'",
                                                "3com.test", "'2001:db8::1'"};
const std::vector<std::string> kBadServerNames{"''",
                                               "'  '",
                                               "'[::1]'",
                                               "https://openbao.test",
                                               "'*.openbao.test'",
                                               "b\xc3\xa4o.test",
                                               "'${HOST}'",
                                               "bao.example:8200",
                                               "'a b'",
                                               "' bao.example'",
                                               "bao..example",
                                               "'.bao'",
                                               "'0123'",
                                               "'1.2.3'",
                                               "'0x7f.1'",
                                               "'a.0x7f000001'",
                                               "'a:b'",
                                               "bao/x",
                                               std::string(64, 'x'),
                                               "\"bao\\0x\""};

std::vector<ValueRow> AddressRows() {
  const std::vector<std::string> listen{"127.0.0.1:0",      "':8081'", "'[::1]:8081'",
                                        "Localhost:65535",  "''",      "'  '",
                                        "node-1.example:80"};
  const std::vector<std::string> no_listen{
      "localhost",       "'::1:80'",     "'[::1]'",        "999.1.1.1:80",   "a..x:80", "'[::1]80'",
      "localhost:65536", "'localhost:'", "localhost:http", "'localhost :1'", "'[h:1'"};
  std::vector<std::string> token_urls = kBadUrls;
  std::vector<std::string> lists;
  for (const std::string& url : kBadUrls) {
    const bool quoted = url.front() == '\'' || url.front() == '"';
    const std::string quote = quoted ? "" : "'";
    lists.push_back(std::string("[").append(quote).append(url).append(quote).append("]"));
  }
  return {
      {"openbao.tlsServerName", kGoodServerNames, kBadServerNames, ""},
      {"openbao.address", kGoodUrls, Join(kBadUrls, {"https://b?q=1", "''"}), ""},
      {"openbao.additionalAddresses",
       {"[]", "['https://c', 'https://d']"},
       Join(lists, {"['']", "['https://c?q']", "['https://c', 'https://c']"}),
       ""},
      {"auth.jwt.oauth2.tokenUrl", Join(kGoodUrls, {"https://b/t?tenant=1"}),
       Join(token_urls, {"''"}), "", Base::kOAuth2},
      {"auth.jwt.oauth2.resources",
       {"[]", "['https://api', 'urn:x:y']"},
       {"[api]", "['/a']", "['https://u@a']", "['https://a#f']", "['x:']", "['']", "['1x:y']"},
       "",
       Base::kOAuth2},
      {"auth.jwt.oauth2.scopes",
       {"[]", "[a, 'b:c/!']"},
       {"['a b']", "['a\"']", "['a\\']", "['']", "['\xc3\xa9']"},
       "",
       Base::kOAuth2},
      {"auth.jwt.oauth2.clientId",
       {"x", "' x y '"},
       {"''", "\"a\\u0001\"", "\"\\x7f\""},
       "",
       Base::kOAuth2},
      {"auth.jwt.oauth2.audience", {"''", "x"}, {"\"a\\u0001\""}, "", Base::kOAuth2},
      {"auth.jwt.expectedAudience", {"[]", "[a, 'b c']"}, {"['']", "[' a']", "['  ']"}, ""},
      {"server.metricsAddress", listen, no_listen, ""},
      {"server.healthAddress", listen, no_listen, ""},
      {"server.socketPath",
       {"/run/openbao-kms/a.sock", "/var/run/openbao-kms/b/c.sock"},
       {"/tmp/a.sock", "run/openbao-kms/a", "/run/openbao-kms", "/run/openbao-kms/",
        "/run/openbao-kmsx/a", "/run/openbao-kms/../a", "/run/openbao-kms//a", "''",
        "/run/openbao-kms/" + std::string(91, 'x')},
       ""},
      {"server.socketMode",
       {"'0660'", "'0600'", "'0000'", "'660'"},
       {"'0661'", "'0760'", "'0670'", "'1660'", "'0888'", "'rw'", "''", "'-660'", "'0o660'"},
       ""},
      {"isolation.supervisorUser", {"''", "kms", "'65532:65532'"}, {"'65532'", "'1:'", "':1'"}, ""},
      {"isolation.workerUser", {"kms", "'0:0'", "'1:4294967294'"}, {"'1'", "'1:4294967295'"}, ""},
      {"isolation.workerUsers", {"[]", "[a, '2:3']"}, {"[a, '2']"}, ""},
      {"isolation.authAgentUser", {"kms", "'1:2'"}, {"'1'", "'1:2:3'", "' kms'"}, ""},
      {"server.socketGroup", {"kms", "'987'", "'0'"}, {"'4294967295'", "' kms'", "''"}, ""},
      {"openbao.namespace",
       {"''", "a", "a/b"},
       {"/a", "a/", "a//b", "./a", "a/../b", "a%2f", "\"a\\tb\"", "\"a\\u0001b\""},
       ""},
      {"auth.jwt.mountPath", kGoodMounts, Join(kBadMounts, {"''"}), ""},
      {"auth.cert.mountPath", kGoodMounts, Join(kBadMounts, {"''"}), "", Base::kCert},
      {"transit.mountPath", kGoodMounts, Join(kBadMounts, {"''"}), ""},
      {"transit.keyName",
       {"a", "_", "a.b-c_9", "'0123'"},
       {"''", ".a", "a.", "-a", "a-", "a/b", "'a b'", "\xc3\xa9"},
       ""},
  };
}

}  // namespace

Keys BaseKeys(Base base) {
  switch (base) {
    case Base::kJwt:
      return JwtKeys();
    case Base::kOAuth2:
      return OAuth2Keys();
    case Base::kCert:
      return CertKeys();
    case Base::kCertUri:
      return Without(Without(CertKeys(), "auth.cert.pkcs11.tokenLabel"),
                     "auth.cert.pkcs11.keyLabel");
  }
  return {};
}

std::vector<ValueRow> AllRows() {
  std::vector<ValueRow> rows;
  for (auto& part : {IdRows(), PathRows(), DurationRows(), NumberAndChoiceRows(), AddressRows()}) {
    rows.insert(rows.end(), part.begin(), part.end());
  }
  return rows;
}

}  // namespace baokms::supervisor
