#include <array>
#include <atomic>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/openbao/api.h"
#include "common/openbao/http_limits.h"
#include "common/openbao/request_bodies.h"
#include "tests/openbao/client_fixture.h"
#include "tests/openbao/hostile_server.h"

namespace baokms::openbao {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

// Keeps what clients sent, answers each request with the next answer (the last one again).
class Recorder final {
 public:
  explicit Recorder(std::vector<std::string> answers) : answers_(std::move(answers)) {}

  Script MakeScript() {
    return [this](Session& session) {
      while (auto request = session.Read()) {
        session.Write(Add(session, std::move(*request)));
      }
    };
  }

  std::vector<ReceivedRequest> requests() {
    const std::lock_guard lock(mutex_);
    return requests_;
  }

  std::string server_name() {
    const std::lock_guard lock(mutex_);
    return server_name_;
  }

 private:
  std::string Add(Session& session, ReceivedRequest request) {
    const std::lock_guard lock(mutex_);
    server_name_ = session.ServerName();
    requests_.push_back(std::move(request));
    return answers_[std::min(requests_.size(), answers_.size()) - 1];
  }

  std::mutex mutex_;
  std::vector<std::string> answers_;
  std::vector<ReceivedRequest> requests_;
  std::string server_name_;
};

class ClientTest : public ::testing::Test {
 protected:
  ServerIdentity Identity() const { return authority_.Issue("DNS:" + std::string(kServerName)); }

  // How config/keys ends against a server that always answers so.
  Ended<UpsertValue> EndOf(std::string answer) const {
    HostileServer server(Identity(), AlwaysAnswer(std::move(answer)));
    ClientRig rig(authority_, {server.port()});
    return rig.ReadUpsert();
  }

  TestAuthority authority_{"test authority"};
};

std::string Revealed(const SecretBuffer& secret) {
  const auto bytes = secret.Reveal();
  return {bytes.begin(), bytes.end()};
}

TEST_F(ClientTest, SendsAGetWithTheHeadersOfTheContractAndNoOthers) {
  Recorder recorder({HttpAnswer("200 OK", kUpsertAnswer)});
  HostileServer server(Identity(), recorder.MakeScript());
  ClientRig rig(authority_.CertificatePem(), {{server.port()}}, [](ClientOptions& options) {
    options.namespace_path = "admin/workload-a";
    options.transit_mount = "/kms/my transit/";
    options.endpoints[0].path_prefix = "/bao%20x";
  });
  const Ended<UpsertValue> ended = rig.ReadUpsert();
  EXPECT_EQ(ended.report.error_class, ErrorClass::kOk);
  EXPECT_TRUE(ended.value.disable_upsert);
  ASSERT_EQ(recorder.requests().size(), 1U);
  EXPECT_EQ(recorder.requests()[0].head,
            "GET /bao%20x/v1/kms/my%20transit/config/keys HTTP/1.1\r\n"
            "Host: node0.test:8200\r\n"
            "Accept: */*\r\n"
            "X-Vault-Request: true\r\n"
            "X-Vault-Namespace: admin/workload-a\r\n"
            "X-Vault-Token: s.test-token\r\n");
  EXPECT_EQ(recorder.server_name(), kServerName);
}

TEST_F(ClientTest, RecordsOneExchangeWithItsRequestId) {
  HostileServer server(Identity(), AlwaysAnswer(HttpAnswer("200 OK", kUpsertAnswer)));
  ClientRig rig(authority_, {server.port()});
  const Ended<UpsertValue> ended = rig.ReadUpsert();
  ASSERT_EQ(ended.report.calls.size(), 1U);
  EXPECT_EQ(ended.report.calls[0].operation, ipc::OPERATION_TRANSIT_DISABLE_UPSERT_READ);
  EXPECT_EQ(ended.report.calls[0].error_class, ErrorClass::kOk);
  EXPECT_EQ(ended.report.calls[0].request_id, "r-1");
  EXPECT_GT(ended.report.connect_us, 0U);
  EXPECT_GT(ended.report.openbao_us, 0U);
  const Ended<UpsertValue> second = rig.ReadUpsert();
  EXPECT_EQ(second.report.error_class, ErrorClass::kOk);
  EXPECT_EQ(second.report.connect_us, 0U);  // on the same connection
  EXPECT_EQ(server.accepted(), 1);
}

TEST_F(ClientTest, EncryptsAndDecrypts) {
  Recorder recorder(
      {HttpAnswer("200 OK", R"({"data":{"ciphertext":"vault:v2:x","key_version":2}})"),
       HttpAnswer("200 OK", R"({"data":{"plaintext":"aGVsbG8="}})")});
  HostileServer server(Identity(), recorder.MakeScript());
  ClientRig rig(authority_, {server.port()});
  const std::string plaintext = "hello";
  const auto encrypted = rig.Await<EncryptValue>([&](Done<EncryptValue> done) {
    return rig.client().Encrypt(rig.Context(), 2,
                                {reinterpret_cast<const std::uint8_t*>(plaintext.data()), 5},
                                "e30=", std::move(done));
  });
  EXPECT_EQ(encrypted.value.ciphertext, "vault:v2:x");
  EXPECT_EQ(encrypted.value.key_version, 2);
  const auto decrypted = rig.Await<SecretBuffer>([&](Done<SecretBuffer> done) {
    return rig.client().Decrypt(rig.Context(), "vault:v2:x", "e30=", std::move(done));
  });
  EXPECT_EQ(Revealed(decrypted.value), "hello");
  ASSERT_EQ(recorder.requests().size(), 2U);
  EXPECT_THAT(recorder.requests()[0].head, StartsWith("POST /v1/transit/encrypt/k8s HTTP/1.1\r\n"));
  EXPECT_THAT(recorder.requests()[0].head, HasSubstr("\r\nContent-Type: application/json\r\n"));
  EXPECT_EQ(recorder.requests()[0].body,
            R"({"plaintext":"aGVsbG8=","associated_data":"e30=","key_version":2})");
  EXPECT_THAT(recorder.requests()[1].head, StartsWith("POST /v1/transit/decrypt/k8s HTTP/1.1\r\n"));
  EXPECT_EQ(recorder.requests()[1].body, R"({"ciphertext":"vault:v2:x","associated_data":"e30="})");
}

TEST_F(ClientTest, LogsInWithoutATokenAndRenewsWithOne) {
  const std::string answer = HttpAnswer(
      "200 OK", R"({"auth":{"client_token":"s.new","lease_duration":60,"renewable":true}})");
  Recorder recorder({answer});
  HostileServer server(Identity(), recorder.MakeScript());
  ClientRig rig(authority_, {server.port()});
  const std::string jwt(kMaxJwtBytes, 'j');  // above what libcurl would ask permission for
  CallContext login = rig.Context();
  login.token = nullptr;
  const auto logged_in = rig.Await<AuthValue>([&](Done<AuthValue> done) {
    const std::array fields = {BodyMember{"role", "role"}, BodyMember{"jwt", jwt, kMaxJwtBytes}};
    return rig.client().Login(login, "auth/k8s-a-jwt",
                              {ipc::OPERATION_JWT_LOGIN, *BuildObject(fields), nullptr},
                              std::move(done));
  });
  EXPECT_EQ(logged_in.report.error_class, ErrorClass::kOk);
  EXPECT_EQ(Revealed(logged_in.value.token), "s.new");
  const auto renewed = rig.Await<AuthValue>([&](Done<AuthValue> done) {
    return rig.client().RenewSelf(rig.Context(), 3600, std::move(done));
  });
  EXPECT_EQ(renewed.value.lease_seconds, 60);
  ASSERT_EQ(recorder.requests().size(), 2U);
  EXPECT_THAT(recorder.requests()[0].head,
              StartsWith("POST /v1/auth/k8s-a-jwt/login HTTP/1.1\r\n"));
  EXPECT_THAT(recorder.requests()[0].head, Not(HasSubstr("X-Vault-Token")));
  EXPECT_THAT(recorder.requests()[0].head, Not(HasSubstr("Expect")));
  EXPECT_EQ(recorder.requests()[0].body.size(), kMaxJwtBytes + 24);
  EXPECT_THAT(recorder.requests()[1].head,
              StartsWith("POST /v1/auth/token/renew-self HTTP/1.1\r\n"));
  EXPECT_THAT(recorder.requests()[1].head, HasSubstr("X-Vault-Token: s.test-token"));
  EXPECT_EQ(recorder.requests()[1].body, R"({"increment":"3600s"})");
}

TEST_F(ClientTest, RefusesABadCallWithoutAskingForASocket) {
  ClientRig rig(authority_, {1});
  const auto encrypted = rig.Await<EncryptValue>([&](Done<EncryptValue> done) {
    return rig.client().Encrypt(rig.Context(), 0, {}, "e30=", std::move(done));
  });
  EXPECT_EQ(encrypted.report.error_class, ErrorClass::kInvalidRequest);
  std::string evil = "s.x\r\nX-Other: y";
  const SecretBuffer token =
      SecretBuffer::TakeFrom({reinterpret_cast<std::uint8_t*>(evil.data()), evil.size()}).value();
  CallContext context = rig.Context();
  context.token = &token;
  EXPECT_EQ(rig.ReadUpsert(context).report.error_class, ErrorClass::kInvalidRequest);
  EXPECT_EQ(rig.ReadUpsert(rig.Context(std::chrono::milliseconds(0))).report.error_class,
            ErrorClass::kTimeout);
  EXPECT_TRUE(rig.connector().asked.empty());
}

// An authority's old and new root, or two authorities that call themselves the same.
TEST_F(ClientTest, RootsOfTheSameNameAreTrustedInAnyOrder) {
  const TestAuthority first("corporate root");
  const TestAuthority second("corporate root");
  const TestAuthority stranger("corporate root");
  const std::string a = first.CertificatePem();
  const std::string b = second.CertificatePem();
  for (const std::string& bundle : {a + b, b + a, authority_.CertificatePem() + b + a}) {
    for (const TestAuthority* issuer : {&first, &second}) {
      HostileServer server(issuer->Issue("DNS:" + std::string(kServerName)),
                           AlwaysAnswer(HttpAnswer("200 OK", kUpsertAnswer)));
      ClientRig rig(bundle, {{server.port()}});
      EXPECT_EQ(rig.ReadUpsert().report.error_class, ErrorClass::kOk);
    }
    HostileServer server(stranger.Issue("DNS:" + std::string(kServerName)),
                         AlwaysAnswer(HttpAnswer("200 OK", kUpsertAnswer)));
    ClientRig rig(bundle, {{server.port()}});
    EXPECT_EQ(rig.ReadUpsert().report.error_class, ErrorClass::kTlsFailed);
  }
}

TEST_F(ClientTest, AnAlertAfterTheHandshakeIsATlsFailureWithItsMeaning) {
  HostileServer server(Identity(), AlwaysAnswer(HttpAnswer("200 OK", kUpsertAnswer)));
  server.RequireClientCertificate();
  ClientRig rig(authority_, {server.port()});
  const CallReport report = rig.ReadUpsert().report;
  EXPECT_EQ(report.error_class, ErrorClass::kTlsFailed);
  EXPECT_EQ(report.tls_alert(), kCertificateRequired);
  EXPECT_EQ(report.calls.size(), 1U);  // asking again would bring the same alert
}

TEST_F(ClientTest, AnAlertDuringTheHandshakeHasItsMeaningAsWell) {
  HostileServer server(Identity(), AlwaysAnswer(HttpAnswer("200 OK", kUpsertAnswer)));
  server.LimitToTls12();
  server.RequireClientCertificate();
  ClientRig rig(authority_, {server.port()});
  const CallReport report = rig.ReadUpsert().report;
  EXPECT_EQ(report.error_class, ErrorClass::kTlsFailed);
  EXPECT_EQ(report.tls_alert(), 40);  // handshake_failure: OpenSSL's word for it over TLS 1.2
}

TEST_F(ClientTest, TheLoginBudgetDoesNotReplaceWhatTheFirstAddressMet) {
  HostileServer server(Identity(), AlwaysAnswer(HttpAnswer("200 OK", kUpsertAnswer)));
  server.RequireClientCertificate();
  ClientRig rig(authority_, {server.port(), server.port()});
  rig.connector().budget = 1;
  const CallReport report = rig.ReadUpsert().report;
  EXPECT_EQ(report.error_class, ErrorClass::kTlsFailed);
  EXPECT_EQ(report.calls.size(), 1U);
}

TEST_F(ClientTest, ClassifiesTheStatus) {
  struct Row {
    const char* status;
    const char* body;
    ErrorClass expected;
  };

  constexpr std::array<Row, 15> kRows{{
      {"400 Bad Request", R"({"errors":["x"]})", ErrorClass::kInvalidRequest},
      {"400 Bad Request", R"({"errors":["cipher: message authentication failed"]})",
       ErrorClass::kDecryptFailed},
      {"401 Unauthorized", "{}", ErrorClass::kUnauthenticated},
      {"403 Forbidden", R"({"errors":["permission denied, and sealed"]})",
       ErrorClass::kPermissionDenied},
      {"404 Not Found", R"({"errors":[]})", ErrorClass::kNotFound},
      {"418 Teapot", "", ErrorClass::kUnknown},
      {"412 Precondition Failed", R"({"errors":["x"]})", ErrorClass::kPreconditionFailed},
      {"429 Too Many Requests", "", ErrorClass::kRateLimited},
      {"500 Internal Server Error", "<html>", ErrorClass::kUnavailable},
      {"503 Service Unavailable", R"({"errors":["OpenBao is sealed"]})", ErrorClass::kSealed},
      {"301 Moved", "", ErrorClass::kUnavailable},
      {"200 OK", "", ErrorClass::kUndecodable},
      {"200 OK", "[]", ErrorClass::kUndecodable},
      {"204 No Content", "", ErrorClass::kUndecodable},
      {"200 OK", R"({"data":{"disable_upsert":true}}x)", ErrorClass::kUndecodable},
  }};
  for (const Row& row : kRows) {
    SCOPED_TRACE(std::string(row.status) + " " + row.body);
    const Ended<UpsertValue> ended = EndOf(HttpAnswer(row.status, row.body));
    EXPECT_EQ(ended.report.error_class, row.expected);
    ASSERT_EQ(ended.report.calls.size(), 1U);
    EXPECT_EQ(ended.report.calls[0].error_class, row.expected);
  }
}

TEST_F(ClientTest, NeverFollowsARedirect) {
  HostileServer other(Identity(), AlwaysAnswer(HttpAnswer("200 OK", kUpsertAnswer)));
  const std::string location =
      "Location: https://127.0.0.1:" + std::to_string(other.port()) + "/v1/transit/config/keys";
  for (const char* status : {"301 a", "302 a", "303 a", "307 a", "308 a"}) {
    EXPECT_EQ(EndOf(HttpAnswer(status, "", location)).report.error_class, ErrorClass::kUnavailable);
  }
  EXPECT_EQ(other.accepted(), 0);
}

// A body of exactly `size` bytes that says disable_upsert.
std::string UpsertOfSize(std::size_t size) {
  std::string body = R"({"data":{"disable_upsert":true},"x":")";
  body.resize(size - 2, 'x');
  return body + "\"}";
}

TEST_F(ClientTest, TakesAnAnswerOfTheMaximumAndNoMore) {
  EXPECT_EQ(EndOf(HttpAnswer("200 OK", UpsertOfSize(kMaxBodyBytes))).report.error_class,
            ErrorClass::kOk);
  EXPECT_EQ(EndOf(HttpAnswer("200 OK", UpsertOfSize(kMaxBodyBytes + 1))).report.error_class,
            ErrorClass::kUnavailable);
}

TEST_F(ClientTest, TakesAnErrorBodyOfTheMaximumAndNoMore) {
  const std::string_view begin = R"({"errors":["message authentication failed )";
  std::string most(begin);
  most.resize(kMaxErrorBodyBytes - 3, 'x');
  EXPECT_EQ(EndOf(HttpAnswer("400 Bad", most + "\"]}")).report.error_class,
            ErrorClass::kDecryptFailed);
  EXPECT_EQ(EndOf(HttpAnswer("400 Bad", most + "x\"]}")).report.error_class,
            ErrorClass::kUnavailable);
}

TEST_F(ClientTest, TakesMetadataOfTheMaximumAndNoMore) {
  for (const std::size_t more : {0U, 1U}) {
    std::string body =
        R"({"data":{"name":"k8s","type":"t","latest_version":1,"min_available_version":0,)"
        R"("min_encryption_version":0,"min_decryption_version":1,"keys":{"1":1700000000},)"
        R"("derived":false,"exportable":false,"allow_plaintext_backup":false,)"
        R"("deletion_allowed":false,"supports_encryption":true,"supports_decryption":true},"x":")";
    body.resize(kMaxMetadataBodyBytes - 2 + more, 'x');
    HostileServer server(Identity(), AlwaysAnswer(HttpAnswer("200 OK", body + "\"}")));
    ClientRig rig(authority_, {server.port()});
    const auto ended =
        rig.Await<contract::TransitKeyMetadata>([&](Done<contract::TransitKeyMetadata> done) {
          return rig.client().ReadKey(rig.Context(), std::move(done));
        });
    EXPECT_EQ(ended.report.error_class, more == 0 ? ErrorClass::kOk : ErrorClass::kUnavailable);
  }
}

TEST_F(ClientTest, LimitsABodyWithoutALength) {
  HostileServer server(Identity(), [](Session& session) {
    (void)session.Read();
    session.Write("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
    for (int i = 0; i < 80; ++i) {
      session.Write("1000\r\n" + std::string(4096, ' ') + "\r\n");
    }
    session.Write("0\r\n\r\n");
  });
  ClientRig rig(authority_, {server.port()});
  EXPECT_EQ(rig.ReadUpsert().report.error_class, ErrorClass::kUnavailable);
}

TEST_F(ClientTest, LimitsTheHeaders) {
  const auto answer_with = [](std::size_t count) {
    std::string headers = "X-Filler: x";
    for (std::size_t i = 0; i < count; ++i) {
      headers += "\r\nX-Filler: " + std::string(1000, 'x');
    }
    return HttpAnswer("200 OK", kUpsertAnswer, headers);
  };
  EXPECT_EQ(EndOf(answer_with(60)).report.error_class, ErrorClass::kOk);
  EXPECT_EQ(EndOf(answer_with(70)).report.error_class, ErrorClass::kUnavailable);
}

TEST_F(ClientTest, LimitsInterimAnswers) {
  HostileServer server(Identity(), [](Session& session) {
    (void)session.Read();
    for (int i = 0; i < 10000; ++i) {
      session.Write("HTTP/1.1 102 Processing\r\n\r\n");
    }
    session.Write(HttpAnswer("200 OK", kUpsertAnswer));
  });
  ClientRig rig(authority_, {server.port()});
  EXPECT_EQ(rig.ReadUpsert().report.error_class, ErrorClass::kUnavailable);
}

TEST_F(ClientTest, ATruncatedAnswerIsNeverASuccess) {
  const std::string answer = HttpAnswer("200 OK", kUpsertAnswer);
  std::atomic<std::size_t> size = 0;
  HostileServer server(Identity(), [&](Session& session) {
    if (session.Read()) {
      session.Write(std::string_view(answer).substr(0, size));
    }
  });
  ClientRig rig(authority_, {server.port()});
  for (size = 0; size < answer.size(); ++size) {
    const ErrorClass error_class = rig.ReadUpsert().report.error_class;
    ASSERT_TRUE(error_class == ErrorClass::kUnavailable ||
                error_class == ErrorClass::kConnectionFailed ||
                error_class == ErrorClass::kUndecodable)
        << size << " " << ToString(error_class);
  }
}

TEST_F(ClientTest, RefusesWhatIsNotHttp1) {
  for (const char* answer :
       {"hello\r\n\r\n", "HTTP/0.9 200 OK\r\n\r\n", "{\"data\":{\"disable_upsert\":true}}",
        "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n"}) {
    HostileServer server(Identity(), [&](Session& session) {
      (void)session.Read();
      session.Write(answer);
    });
    ClientRig rig(authority_, {server.port()});
    EXPECT_NE(rig.ReadUpsert().report.error_class, ErrorClass::kOk) << answer;
  }
}

TEST_F(ClientTest, TrustsTheGivenAuthorityAlone) {
  const TestAuthority other("other authority");
  HostileServer server(other.Issue("DNS:bao.test"),
                       AlwaysAnswer(HttpAnswer("200 OK", kUpsertAnswer)));
  ClientRig rig(authority_, {server.port()});
  EXPECT_EQ(rig.ReadUpsert().report.error_class, ErrorClass::kTlsFailed);
  EXPECT_EQ(rig.connector().reports, (std::vector<LoopbackConnector::Classified>{
                                         {server.port(), Connector::SocketState::kUnusable}}));
}

TEST_F(ClientTest, TrustsEveryCertificateOfTheBundle) {
  const TestAuthority other("other authority");
  HostileServer server(other.Issue("DNS:bao.test"),
                       AlwaysAnswer(HttpAnswer("200 OK", kUpsertAnswer)));
  ClientRig rig(authority_.CertificatePem() + other.CertificatePem(), {{server.port()}});
  EXPECT_EQ(rig.ReadUpsert().report.error_class, ErrorClass::kOk);
}

TEST_F(ClientTest, RefusesACertificateForAnotherNameOrTime) {
  for (const ServerIdentity& identity :
       {authority_.Issue("DNS:node0.test"), authority_.Issue("DNS:x.bao.test"),
        authority_.Issue("IP:127.0.0.1"), authority_.IssueExpired("DNS:bao.test")}) {
    HostileServer server(identity, AlwaysAnswer(HttpAnswer("200 OK", kUpsertAnswer)));
    ClientRig rig(authority_, {server.port()});
    EXPECT_EQ(rig.ReadUpsert().report.error_class, ErrorClass::kTlsFailed);
  }
}

TEST_F(ClientTest, AServerNameMayBeAnAddress) {
  HostileServer server(authority_.Issue("IP:192.0.2.7"),
                       AlwaysAnswer(HttpAnswer("200 OK", kUpsertAnswer)));
  ClientRig rig(authority_.CertificatePem(), {{server.port()}},
                [](ClientOptions& options) { options.server_name = "192.0.2.7"; });
  EXPECT_EQ(rig.ReadUpsert().report.error_class, ErrorClass::kOk);
}

TEST_F(ClientTest, AClientWithoutAKeyRefusesTransitCallsAlone) {
  HostileServer server(
      Identity(),
      AlwaysAnswer(HttpAnswer("200 OK", R"({"auth":{"lease_duration":60,"renewable":true}})")));
  ClientRig rig(authority_.CertificatePem(), {{server.port()}}, [](ClientOptions& options) {
    options.transit_mount.clear();
    options.transit_key.clear();
  });
  EXPECT_EQ(rig.ReadUpsert().report.error_class, ErrorClass::kInvalidRequest);
  const auto renewed = rig.Await<AuthValue>([&](Done<AuthValue> done) {
    return rig.client().RenewSelf(rig.Context(), 60, std::move(done));
  });
  EXPECT_EQ(renewed.report.error_class, ErrorClass::kOk);
}

TEST_F(ClientTest, CreateRefusesOptionsThatCannotWork) {
  const auto loop = EventLoop::Create().value();
  LoopbackConnector connector(*loop, {{1}});
  const auto created = [&](const std::function<void(ClientOptions&)>& adjust) {
    ClientOptions options{.endpoints = {{.host = "h", .port = 1, .path_prefix = ""}},
                          .ca_pem = authority_.CertificatePem(),
                          .server_name = "h",
                          .namespace_path = "",
                          .transit_mount = "transit",
                          .transit_key = "k"};
    adjust(options);
    return Client::Create(*loop, connector, std::move(options)).has_value();
  };
  EXPECT_TRUE(created([](ClientOptions&) {}));
  EXPECT_FALSE(created([](ClientOptions& o) { o.ca_pem = ""; }));
  EXPECT_FALSE(created([](ClientOptions& o) { o.ca_pem = "no certificate"; }));
  EXPECT_FALSE(created([](ClientOptions& o) { o.ca_pem.resize(o.ca_pem.size() / 2); }));
  EXPECT_FALSE(created([](ClientOptions& o) {
    o.ca_pem += "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
  }));
  EXPECT_FALSE(created([](ClientOptions& o) { o.endpoints.clear(); }));
  EXPECT_FALSE(
      created([](ClientOptions& o) { o.endpoints.resize(kMaxEndpoints + 1, o.endpoints[0]); }));
  EXPECT_FALSE(created([](ClientOptions& o) { o.endpoints[0].port = 0; }));
  EXPECT_FALSE(created([](ClientOptions& o) { o.endpoints[0].host = "h\r\nX: y"; }));
  EXPECT_FALSE(created([](ClientOptions& o) { o.endpoints[0].path_prefix = "/a b"; }));
  EXPECT_FALSE(created([](ClientOptions& o) { o.server_name = "user@evil"; }));
  EXPECT_FALSE(created([](ClientOptions& o) { o.server_name = ""; }));
  EXPECT_FALSE(created([](ClientOptions& o) { o.namespace_path = "a\r\nX: y"; }));
  EXPECT_FALSE(created([](ClientOptions& o) { o.transit_mount = "/"; }));
  EXPECT_FALSE(created([](ClientOptions& o) { o.max_connections = 0; }));
  EXPECT_FALSE(created([](ClientOptions& o) { o.max_connections = kMaxConnections + 1; }));
}

}  // namespace
}  // namespace baokms::openbao
