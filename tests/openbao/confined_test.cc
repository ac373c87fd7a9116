// After Create() a client needs no file and no new descriptor: what a worker relies on.

#include <sys/wait.h>
#include <fcntl.h>
#include <unistd.h>

#include <cstdlib>
#include <ctime>
#include <string>

#include <gtest/gtest.h>

#include "tests/openbao/client_fixture.h"
#include "tests/openbao/hostile_server.h"
#include "tests/openbao/ignored_connect.h"

namespace baokms::openbao {
namespace {

// Hands out sockets that were made before the filter.
class PreparedConnector final : public Connector {
 public:
  PreparedConnector(EventLoop& loop, std::vector<UniqueFd> sockets)
      : loop_(loop), sockets_(std::move(sockets)) {}

  RequestId RequestSocket(std::uint32_t /*endpoint*/,
                          const std::vector<std::uint32_t>& /*tried*/,
                          Callback callback) override {
    const RequestId id = ++last_id_;
    loop_.After(BootTime::zero(), [this, id, callback = std::move(callback)] {
      UniqueFd fd = std::move(sockets_.back());
      sockets_.pop_back();
      callback({.error_class = ErrorClass::kOk,
                .socket = {.id = id, .fd = std::move(fd)},
                .address = 1});
    });
    return id;
  }

  void CancelRequest(RequestId /*request*/) override {}

  void Report(std::uint64_t /*socket_id*/, SocketState /*state*/) override {}

 private:
  EventLoop& loop_;
  std::vector<UniqueFd> sockets_;
  RequestId last_id_ = 0;
};

// In the child. Exit code 0: all calls ended well, both on a new and on an idle connection.
[[noreturn]] void CallUnderTheFilter(const std::string& ca_pem, std::vector<UniqueFd> sockets) {
  ::setenv("TZ", "UTC0", 1);
  ::tzset();
  const auto loop = EventLoop::Create().value();
  PreparedConnector connector(*loop, std::move(sockets));
  const auto client =
      Client::Create(*loop, connector,
                     {.endpoints = {{.host = "node0.test", .port = 8200, .path_prefix = ""}},
                      .ca_pem = ca_pem,
                      .server_name = kServerName,
                      .namespace_path = "",
                      .transit_mount = "transit",
                      .transit_key = "k8s"})
          .value();
  RefuseFilesAndSockets();
  int good = 0;
  for (int i = 0; i < 4; ++i) {
    CallContext context;
    context.deadline = BootNow() + std::chrono::seconds(5);
    context.connection = i % 2 == 0 ? ConnectionUse::kAny : ConnectionUse::kFresh;
    client->ReadUpsert(context, [&](const CallReport& report, UpsertValue) {
      good += report.error_class == ErrorClass::kOk ? 1 : 0;
      loop->Stop();
    });
    (void)loop->Run();
  }
  ::_exit(good == 4 ? 0 : 1);
}

TEST(ConfinedDeathTest, OpensNoFileAndNoSocketAfterCreate) {
  const TestAuthority authority("test authority");
  HostileServer server(authority.Issue("DNS:bao.test"),
                       AlwaysAnswer(HttpAnswer("200 OK", kUpsertAnswer)));
  std::vector<UniqueFd> sockets;
  for (int i = 0; i < 6; ++i) {
    sockets.push_back(ConnectTo(server.port()));
  }
  const pid_t child = ::fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    CallUnderTheFilter(authority.CertificatePem(), std::move(sockets));
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_TRUE(WIFEXITED(status)) << "killed by signal " << WTERMSIG(status);
  EXPECT_EQ(WEXITSTATUS(status), 0);
}

TEST(ConfinedDeathTest, TheFilterOfThisTestKills) {
  const pid_t child = ::fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    RefuseFilesAndSockets();
    (void)::open("/etc/hostname", O_RDONLY | O_CLOEXEC);
    ::_exit(0);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_TRUE(WIFSIGNALED(status));
}

// A certificate of this authority would be trusted if any default of OpenSSL or libcurl were.
TEST(ConfinedDeathTest, ReadsNoDefaultDirectoryOfCertificates) {
  const TestAuthority system_authority("system authority");
  const TestAuthority authority("test authority");
  const std::string file = ::testing::TempDir() + "/openbao_confined_test_ca.pem";
  FILE* out = std::fopen(file.c_str(), "we");
  ASSERT_NE(out, nullptr);
  std::fputs(system_authority.CertificatePem().c_str(), out);
  std::fclose(out);
  ::setenv("SSL_CERT_FILE", file.c_str(), 1);
  ::setenv("CURL_CA_BUNDLE", file.c_str(), 1);
  HostileServer server(system_authority.Issue("DNS:bao.test"),
                       AlwaysAnswer(HttpAnswer("200 OK", kUpsertAnswer)));
  ClientRig rig(authority, {server.port()});
  EXPECT_EQ(rig.ReadUpsert().report.error_class, ErrorClass::kTlsFailed);
  ::unsetenv("SSL_CERT_FILE");
  ::unsetenv("CURL_CA_BUNDLE");
  (void)::unlink(file.c_str());
}

// An environment that wants a proxy, a key log and another configuration is not asked.
TEST(ConfinedDeathTest, IgnoresProxiesOfTheEnvironment) {
  const TestAuthority authority("test authority");
  for (const char* name : {"https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"}) {
    ::setenv(name, "http://127.0.0.1:1", 1);
  }
  HostileServer server(authority.Issue("DNS:bao.test"),
                       AlwaysAnswer(HttpAnswer("200 OK", kUpsertAnswer)));
  ClientRig rig(authority, {server.port()});
  EXPECT_EQ(rig.ReadUpsert().report.error_class, ErrorClass::kOk);
  for (const char* name : {"https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"}) {
    ::unsetenv(name);
  }
}

}  // namespace
}  // namespace baokms::openbao
