// The scan against an etcd that can be told to misbehave.

#include "supervisor/etcd/scan.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <variant>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/supervisor/etcd/fake_etcd.h"

namespace baokms::supervisor {
namespace {

using testing::HasSubstr;
using testing::Not;

// One scan without TLS, and what it came to.
struct Scanned {
  explicit Scanned(Behaviour behaviour)
      : server(std::move(behaviour), grpc::InsecureServerCredentials()),
        result(ScanEtcd({.host = "127.0.0.1",
                         .port = server.port(),
                         .prefix = "/registry/",
                         .credentials = {}})) {}

  [[nodiscard]] std::string Failure() const {
    const auto* problem = std::get_if<std::string>(&result);
    return problem == nullptr ? "" : *problem;
  }

  [[nodiscard]] std::uint64_t Objects() const {
    std::uint64_t count = 0;
    for (const auto& [stored, objects] : std::get<EtcdScan>(result).inventory.groups()) {
      count += objects;
    }
    return count;
  }

  FakeEtcdServer server;
  std::variant<EtcdScan, std::string> result;
};

TEST(EtcdScanTest, CountsEveryObjectOnceAndReadsOneRevision) {
  const Scanned scanned(With(1234, 10));
  ASSERT_EQ(scanned.Failure(), "");
  EXPECT_EQ(scanned.Objects(), 1234U);
  EXPECT_EQ(std::get<EtcdScan>(scanned.result).revision, kRevision);
  ASSERT_EQ(scanned.server.etcd().revisions.size(), 3U);
  EXPECT_EQ(scanned.server.etcd().revisions[0], 0);
  EXPECT_EQ(scanned.server.etcd().revisions[1], kRevision);
  EXPECT_EQ(scanned.server.etcd().revisions[2], kRevision);
}

TEST(EtcdScanTest, AsksForFewerObjectsWhenAPageIsTooLarge) {
  const Scanned scanned(With(60, 1'400'000));
  ASSERT_EQ(scanned.Failure(), "");
  EXPECT_EQ(scanned.Objects(), 60U);
  EXPECT_LT(
      *std::min_element(scanned.server.etcd().limits.begin(), scanned.server.etcd().limits.end()),
      16);
}

TEST(EtcdScanTest, FindsNothingInAnEmptyEtcd) {
  const Scanned scanned((Behaviour()));
  ASSERT_EQ(scanned.Failure(), "");
  EXPECT_EQ(scanned.Objects(), 0U);
}

TEST(EtcdScanTest, RefusesAnObjectThatNoEtcdTakes) {
  EXPECT_THAT(Scanned(With(1, 17 * 1024 * 1024)).Failure(), HasSubstr("larger than any"));
}

TEST(EtcdScanTest, DoesNotGoRoundInCircles) {
  Behaviour circle = With(600, 10);
  circle.objects.erase("/other/key");
  circle.repeat_first = true;
  EXPECT_THAT(Scanned(circle).Failure(), HasSubstr("out of order"));
  Behaviour empty;
  empty.empty_pages = true;
  EXPECT_NE(Scanned(empty).Failure(), "");
}

TEST(EtcdScanTest, SaysWhatWentWrongInItsOwnWords) {
  for (const auto& [code, words] : std::map<grpc::StatusCode, std::string>{
           {grpc::StatusCode::PERMISSION_DENIED, "access denied"},
           {grpc::StatusCode::OUT_OF_RANGE, "compacted"},
           {grpc::StatusCode::UNAVAILABLE, "lost"},
           {grpc::StatusCode::INTERNAL, "gRPC code 13"}}) {
    Behaviour behaviour = With(1, 10);
    behaviour.status = grpc::Status(code, "a secret text of the server");
    const std::string failure = Scanned(behaviour).Failure();
    EXPECT_THAT(failure, HasSubstr(words));
    EXPECT_THAT(failure, Not(HasSubstr("secret text")));
  }
}

class EtcdTlsTest : public testing::Test {
 protected:
  EtcdTlsTest() {
    target_.credentials.emplace();
    target_.credentials->ca_pem = authority_.CertificatePem();
  }

  // What a scan of a server with these credentials fails with; empty: it succeeds.
  std::string Failure(const std::shared_ptr<grpc::ServerCredentials>& credentials) {
    const FakeEtcdServer server(With(3, 10), credentials);
    target_.port = server.port();
    const auto result = ScanEtcd(target_);
    const auto* problem = std::get_if<std::string>(&result);
    return problem == nullptr ? "" : *problem;
  }

  openbao::TestAuthority authority_{"etcd"};
  EtcdTarget target_{.host = "127.0.0.1", .prefix = "/registry/", .credentials = {}};
};

TEST_F(EtcdTlsTest, ReadsAServerThatProvesItsAddress) {
  EXPECT_EQ(Failure(TlsCredentials(authority_.Issue("IP:127.0.0.1"))), "");
}

TEST_F(EtcdTlsTest, ReadsAServerThatProvesItsName) {
  target_.host = "localhost";
  EXPECT_EQ(Failure(TlsCredentials(authority_.Issue("DNS:localhost"))), "");
}

TEST_F(EtcdTlsTest, RefusesAServerThatDoesNotProveWhoItIs) {
  const openbao::TestAuthority other("other");
  EXPECT_THAT(Failure(TlsCredentials(other.Issue("IP:127.0.0.1"))), HasSubstr("not from --cacert"));
  EXPECT_THAT(Failure(TlsCredentials(authority_.IssueExpired("IP:127.0.0.1"))),
              HasSubstr("expired"));
  EXPECT_THAT(Failure(TlsCredentials(authority_.Issue("IP:192.0.2.7"))),
              HasSubstr("another name or address"));
  EXPECT_THAT(Failure(TlsCredentials(authority_.Issue("DNS:127.0.0.1.test"))),
              HasSubstr("another name or address"));
  target_.host = "localhost";
  EXPECT_THAT(Failure(TlsCredentials(authority_.Issue("DNS:other.test"))),
              HasSubstr("another name or address"));
}

// An authority's old and new root, or two authorities that call themselves the same.
TEST_F(EtcdTlsTest, RootsOfTheSameNameAreTrustedInAnyOrder) {
  const openbao::TestAuthority first("corporate root");
  const openbao::TestAuthority second("corporate root");
  const openbao::TestAuthority stranger("corporate root");
  const std::string a = first.CertificatePem();
  const std::string b = second.CertificatePem();
  for (const std::string& bundle : {a + b, b + a, authority_.CertificatePem() + b + a}) {
    target_.credentials->ca_pem = bundle;
    for (const openbao::TestAuthority* issuer : {&first, &second}) {
      EXPECT_EQ(Failure(TlsCredentials(issuer->Issue("IP:127.0.0.1"))), "");
    }
    EXPECT_THAT(Failure(TlsCredentials(stranger.Issue("IP:127.0.0.1"))),
                HasSubstr("the TLS handshake failed"));
  }
  EXPECT_EQ(Failure(TlsCredentials(authority_.Issue("IP:127.0.0.1"))), "");
}

TEST_F(EtcdTlsTest, PresentsTheClientCertificate) {
  const std::string client_ca = authority_.CertificatePem();
  const auto server = authority_.Issue("IP:127.0.0.1");
  EXPECT_THAT(Failure(TlsCredentials(server, client_ca)), HasSubstr("--cert and --key"));
  const auto client = authority_.Issue("DNS:client.test");
  target_.credentials->certificate_pem = client.certificate_pem;
  target_.credentials->key_pem = client.key_pem;
  EXPECT_EQ(Failure(TlsCredentials(server, client_ca)), "");
}

TEST_F(EtcdTlsTest, DoesNotTalkToAServerWithoutTls) {
  EXPECT_NE(Failure(grpc::InsecureServerCredentials()), "");
}

TEST_F(EtcdTlsTest, SaysWhyThereIsNoConnection) {
  target_.port = 1;
  EXPECT_EQ(std::get<std::string>(ScanEtcd(target_)), "no connection: Connection refused");
  target_.host = "name.invalid";
  EXPECT_EQ(std::get<std::string>(ScanEtcd(target_)), "the name of the host was not found");
}

TEST_F(EtcdTlsTest, NamesTheCredentialThatCannotBeUsed) {
  const auto identity = authority_.Issue("DNS:client.test");
  const auto another = authority_.Issue("DNS:client.test");
  const std::string ca = authority_.CertificatePem();

  struct Row {
    EtcdCredentials credentials;
    const char* problem;
  };

  const Row rows[] = {
      {{ca, identity.certificate_pem, identity.key_pem}, ""},
      {{ca, "", ""}, ""},
      {{"", "", ""}, "--cacert "},
      {{"nothing", "", ""}, "--cacert "},
      {{ca, "", identity.key_pem}, "--cert holds no PEM certificate"},
      {{ca, identity.certificate_pem, identity.certificate_pem}, "--key holds no PEM private key"},
      {{ca, identity.certificate_pem, another.key_pem}, "--key does not belong to --cert"},
  };
  for (const Row& row : rows) {
    const std::string problem = FindCredentialProblem(row.credentials);
    EXPECT_THAT(problem, HasSubstr(row.problem));
    EXPECT_EQ(problem.empty(), std::string_view(row.problem).empty()) << problem;
  }
}

}  // namespace
}  // namespace baokms::supervisor
