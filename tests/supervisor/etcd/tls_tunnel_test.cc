// The tunnel to etcd against servers that are who they should be, and servers that are not.

#include "supervisor/etcd/tls_tunnel.h"

#include <sys/socket.h>
#include <sys/stat.h>

#include <cerrno>
#include <chrono>
#include <cstddef>
#include <memory>

#include <poll.h>

#include <string>

#include <unistd.h>

#include <variant>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "supervisor/etcd/connect.h"
#include "tests/openbao/hostile_server.h"
#include "tests/supervisor/registry/test_directory.h"

namespace baokms::supervisor {
namespace {

using openbao::HostileServer;
using openbao::Session;
using openbao::TestAuthority;
using testing::AnyOf;
using testing::HasSubstr;
using namespace std::chrono_literals;

constexpr const char* kHost = "127.0.0.1";

void WriteAll(int fd, std::string_view text) {
  while (!text.empty()) {
    const ssize_t count = ::send(fd, text.data(), text.size(), MSG_NOSIGNAL);
    if (count > 0) {
      text.remove_prefix(static_cast<std::size_t>(count));
      continue;
    }
    ASSERT_EQ(errno, EAGAIN);
    pollfd wanted{.fd = fd, .events = POLLOUT, .revents = 0};
    ASSERT_EQ(::poll(&wanted, 1, 30'000), 1);
  }
}

// Everything until the other side ends.
std::string ReadToEnd(int fd) {
  std::string all;
  std::string chunk(64 * 1024, '\0');
  for (;;) {
    pollfd wanted{.fd = fd, .events = POLLIN, .revents = 0};
    if (::poll(&wanted, 1, 30'000) != 1) {
      ADD_FAILURE() << "the tunnel neither sent nor ended";
      return all;
    }
    const ssize_t count = ::recv(fd, chunk.data(), chunk.size(), 0);
    if (count <= 0) {
      return all;
    }
    all.append(chunk, 0, static_cast<std::size_t>(count));
  }
}

class TlsTunnelTest : public testing::Test {
 protected:
  TlsTunnelTest() {
    directory_.Write("ca.pem", authority_.CertificatePem(), 0644);
    options_.ca_file = directory_.File("ca.pem");
  }

  // The tunnel to `server`, or why there is none.
  std::variant<std::unique_ptr<TlsTunnel>, std::string> Open(
      const HostileServer& server,
      const std::string& name = kHost,
      std::chrono::milliseconds limit = 30s) {
    auto client = TlsClient::Load(options_);
    EXPECT_TRUE(std::holds_alternative<TlsClient>(client)) << std::get<std::string>(client);
    client_ = std::make_unique<TlsClient>(std::get<TlsClient>(std::move(client)));
    auto socket = ConnectTo(kHost, server.port(), 30s);
    if (const auto* problem = std::get_if<std::string>(&socket)) {
      return *problem;
    }
    return TlsTunnel::Open(*client_, std::get<UniqueFd>(std::move(socket)), name,
                           std::chrono::steady_clock::now() + limit);
  }

  std::string Refusal(const HostileServer& server,
                      const std::string& name = kHost,
                      std::chrono::milliseconds limit = 30s) {
    auto tunnel = Open(server, name, limit);
    const auto* problem = std::get_if<std::string>(&tunnel);
    return problem == nullptr ? "" : *problem;
  }

  TestAuthority authority_{"etcd"};
  TestDirectory directory_;
  EtcdOptions options_;
  std::unique_ptr<TlsClient> client_;
};

void Nothing(Session& /*session*/) {
}

TEST_F(TlsTunnelTest, CarriesLargeMessagesInBothDirectionsUnchanged) {
  std::string sent(3'000'000, '\0');
  for (std::size_t i = 0; i < sent.size(); ++i) {
    sent[i] = static_cast<char>(i * 31 % 251);
  }
  std::string received;
  const HostileServer server(authority_.Issue("IP:127.0.0.1"), [&](Session& session) {
    received = session.Read().value().body;
    session.Write(received);
  });
  auto tunnel = Open(server);
  ASSERT_TRUE(std::holds_alternative<std::unique_ptr<TlsTunnel>>(tunnel));
  const UniqueFd end = std::get<std::unique_ptr<TlsTunnel>>(tunnel)->TakePlainEnd();
  WriteAll(end.get(), "POST / HTTP/1.1\r\nContent-Length: 3000000\r\n\r\n" + sent);
  EXPECT_EQ(ReadToEnd(end.get()), sent);
  EXPECT_EQ(received, sent);
}

TEST_F(TlsTunnelTest, EndsWhenThePeerDoes) {
  const HostileServer closing(authority_.Issue("IP:127.0.0.1"), Nothing);
  const HostileServer resetting(authority_.Issue("IP:127.0.0.1"),
                                [](Session& session) { session.Reset(); });
  for (const HostileServer* server : {&closing, &resetting}) {
    auto tunnel = Open(*server);
    ASSERT_TRUE(std::holds_alternative<std::unique_ptr<TlsTunnel>>(tunnel));
    const UniqueFd end = std::get<std::unique_ptr<TlsTunnel>>(tunnel)->TakePlainEnd();
    EXPECT_EQ(ReadToEnd(end.get()), "");
  }
}

TEST_F(TlsTunnelTest, EndsWithItsOwnerWhileThePeerIsSilent) {
  const HostileServer server(authority_.Issue("IP:127.0.0.1"),
                             [](Session& session) { (void)session.Read(); });
  auto tunnel = Open(server);
  ASSERT_TRUE(std::holds_alternative<std::unique_ptr<TlsTunnel>>(tunnel));
  const UniqueFd end = std::get<std::unique_ptr<TlsTunnel>>(tunnel)->TakePlainEnd();
  std::get<std::unique_ptr<TlsTunnel>>(tunnel).reset();
  EXPECT_EQ(ReadToEnd(end.get()), "");
}

TEST_F(TlsTunnelTest, RefusesAPeerThatDoesNotProveWhoItIs) {
  const TestAuthority other("other");
  const HostileServer stranger(other.Issue("IP:127.0.0.1"), Nothing);
  EXPECT_THAT(Refusal(stranger), HasSubstr("certificate"));
  const HostileServer elsewhere(authority_.Issue("IP:192.0.2.7"), Nothing);
  EXPECT_THAT(Refusal(elsewhere), HasSubstr("IP address mismatch"));
  const HostileServer expired(authority_.IssueExpired("IP:127.0.0.1"), Nothing);
  EXPECT_THAT(Refusal(expired), HasSubstr("expired"));
  const HostileServer named(authority_.Issue("DNS:etcd.test"), Nothing);
  EXPECT_THAT(Refusal(named, "other.test"), HasSubstr("hostname mismatch"));
  EXPECT_EQ(Refusal(named, "etcd.test"), "");
}

TEST_F(TlsTunnelTest, GivesUpOnAPeerThatNeverAnswersAndOnOneThatResets) {
  HostileServer silent(authority_.Issue("IP:127.0.0.1"), Nothing);
  silent.set_greeting(openbao::Greeting::kSilence);
  EXPECT_EQ(Refusal(silent, kHost, 200ms), "the TLS handshake took too long");
  HostileServer reset(authority_.Issue("IP:127.0.0.1"), Nothing);
  reset.set_greeting(openbao::Greeting::kReset);
  // The reset may be faster than the handshake's first message.
  EXPECT_THAT(Refusal(reset), AnyOf(HasSubstr("handshake failed"), HasSubstr("reset by peer")));
}

TEST_F(TlsTunnelTest, SaysWhichFileCanNotBeUsed) {
  const auto identity = authority_.Issue("DNS:client.test");
  const auto another = authority_.Issue("DNS:client.test");
  directory_.Write("cert.pem", identity.certificate_pem, 0644);
  directory_.Write("key.pem", identity.key_pem, 0600);
  directory_.Write("another.pem", another.key_pem, 0600);
  directory_.Write("open.pem", identity.key_pem, 0644);
  directory_.Write("empty.pem", "", 0600);
  const auto refusal = [this](const char* ca, const char* certificate, const char* key) {
    EtcdOptions options;
    options.ca_file = directory_.File(ca);
    options.certificate_file = directory_.File(certificate);
    options.key_file = directory_.File(key);
    auto loaded = TlsClient::Load(options);
    const auto* problem = std::get_if<std::string>(&loaded);
    return problem == nullptr ? std::string() : *problem;
  };
  EXPECT_EQ(refusal("ca.pem", "cert.pem", "key.pem"), "");
  EXPECT_THAT(refusal("none.pem", "cert.pem", "key.pem"), HasSubstr("--cacert"));
  EXPECT_THAT(refusal("empty.pem", "cert.pem", "key.pem"), HasSubstr("--cacert holds no PEM"));
  EXPECT_THAT(refusal("ca.pem", "empty.pem", "key.pem"), HasSubstr("--cert holds no PEM"));
  EXPECT_THAT(refusal("ca.pem", "cert.pem", "cert.pem"), HasSubstr("--key"));
  EXPECT_THAT(refusal("ca.pem", "cert.pem", "another.pem"), HasSubstr("does not belong"));
  EXPECT_THAT(refusal("ca.pem", "cert.pem", "open.pem"), HasSubstr("--key"));
}

TEST(ConnectToTest, SaysWhyThereIsNoConnection) {
  const auto refused = ConnectTo(kHost, 1, 5s);
  ASSERT_TRUE(std::holds_alternative<std::string>(refused));
  EXPECT_THAT(std::get<std::string>(refused), HasSubstr("refused"));
}

}  // namespace
}  // namespace baokms::supervisor
