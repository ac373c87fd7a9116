#include "common/openbao/form_post.h"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/base/clock.h"
#include "common/base/event_loop.h"
#include "common/openbao/http_limits.h"
#include "tests/openbao/client_fixture.h"
#include "tests/openbao/hostile_server.h"
#include "tests/openbao/ignored_connect.h"
#include "tests/openbao/test_pki.h"

namespace baokms::openbao {
namespace {

using namespace std::chrono_literals;
using ::testing::HasSubstr;
using ::testing::Not;
using SocketState = Connector::SocketState;
using Classified = LoopbackConnector::Classified;

constexpr char kName[] = "issuer.test";

class FormPostTest : public ::testing::Test {
 protected:
  void SetUp() override { IgnoreConnect(); }

  ServerIdentity Identity() const { return authority_.Issue("DNS:" + std::string(kName)); }

  // Answers with `answer` and keeps what was asked.
  Script Recording(std::string answer) {
    return [this, answer = std::move(answer)](Session& session) {
      while (auto request = session.Read()) {
        const std::lock_guard lock(mutex_);
        server_name_ = session.ServerName();
        requests_.push_back(std::move(*request));
        session.Write(answer);
      }
    };
  }

  FormAnswer Post(const std::vector<std::uint16_t>& ports, BootTime time = 5s) {
    loop_ = *EventLoop::Create();
    connector_ = std::make_unique<LoopbackConnector>(
        *loop_, std::vector<std::vector<std::uint16_t>>{{1}, ports});
    auto poster =
        FormPoster::Create(*loop_, *connector_,
                           {.url = "https://" + std::string(kName) + ":8443/realms/a/token?x=1",
                            .endpoint = 1,
                            .ca_pem = authority_.CertificatePem()});
    EXPECT_TRUE(poster.has_value());
    FormRequest request;
    request.body.Append("grant_type=client_credentials");
    request.authorization.Append(std::string_view("Authorization: Basic eDp5\0", 26));
    std::optional<FormAnswer> got;
    (*poster)->Post(std::move(request), BootNow() + time, [&](FormAnswer answer) {
      got = std::move(answer);
      loop_->Stop();
    });
    EXPECT_FALSE(got.has_value()) << "never from inside Post()";
    const auto limit = loop_->After(20s, [this] { loop_->Stop(); });
    EXPECT_TRUE(loop_->Run().has_value());
    loop_->Cancel(limit);
    EXPECT_TRUE(got.has_value());
    poster->reset();
    return got ? std::move(*got) : FormAnswer{};
  }

  TestAuthority authority_{"test authority"};
  std::unique_ptr<EventLoop> loop_;
  std::unique_ptr<LoopbackConnector> connector_;
  std::mutex mutex_;
  std::vector<ReceivedRequest> requests_;
  std::string server_name_;
};

TEST_F(FormPostTest, SendsTheFormAndGivesTheAnswer) {
  HostileServer server(Identity(), Recording(HttpAnswer("200 OK", R"({"a":1})")));
  const FormAnswer answer = Post({server.port()});
  EXPECT_EQ(answer.error_class, ErrorClass::kOk);
  EXPECT_EQ(answer.status, 200);
  EXPECT_EQ(answer.content_type, "application/json");
  EXPECT_EQ(answer.body.text(), R"({"a":1})");
  const std::lock_guard lock(mutex_);
  ASSERT_EQ(requests_.size(), 1U);
  const std::string& head = requests_[0].head;
  EXPECT_THAT(head, testing::StartsWith("POST /realms/a/token?x=1 HTTP/1.1\r\n"));
  EXPECT_THAT(head, HasSubstr("Host: issuer.test:8443\r\n"));
  EXPECT_THAT(head, HasSubstr("Authorization: Basic eDp5\r\n"));
  EXPECT_THAT(head, HasSubstr("Content-Type: application/x-www-form-urlencoded\r\n"));
  EXPECT_THAT(head, HasSubstr("Accept: application/json\r\n"));
  EXPECT_THAT(head, Not(HasSubstr("Expect")));
  EXPECT_EQ(requests_[0].body, "grant_type=client_credentials");
  EXPECT_EQ(server_name_, kName);
  EXPECT_EQ(connector_->reports, (std::vector<Classified>{{server.port(), SocketState::kUsable}}));
}

TEST_F(FormPostTest, GivesTheStatusOfARefusalAndNothingOfItsBody) {
  for (const std::string_view status : {"302 Found", "401 Unauthorized", "503 Unavailable"}) {
    HostileServer server(Identity(),
                         AlwaysAnswer(HttpAnswer(status, std::string(kMaxFormAnswerBytes + 1, 'x'),
                                                 "Location: https://elsewhere.test/")));
    const FormAnswer answer = Post({server.port()});
    EXPECT_EQ(answer.error_class, ErrorClass::kOk);
    EXPECT_EQ(answer.status, std::stol(std::string(status.substr(0, 3))));
    EXPECT_EQ(answer.body.size(), 0U);
    EXPECT_EQ(server.accepted(), 1) << "nothing is followed or repeated";
  }
}

TEST_F(FormPostTest, RefusesAnswersOverTheLimits) {
  HostileServer large(
      Identity(), AlwaysAnswer(HttpAnswer("200 OK", std::string(kMaxFormAnswerBytes + 1, 'x'))));
  EXPECT_EQ(Post({large.port()}).error_class, ErrorClass::kUndecodable);
  HostileServer exact(Identity(),
                      AlwaysAnswer(HttpAnswer("200 OK", std::string(kMaxFormAnswerBytes, 'x'))));
  EXPECT_EQ(Post({exact.port()}).error_class, ErrorClass::kOk);
  HostileServer heads(Identity(), AlwaysAnswer(HttpAnswer(
                                      "200 OK", "{}", "X: " + std::string(kMaxHeaderBytes, 'x'))));
  EXPECT_EQ(Post({heads.port()}).error_class, ErrorClass::kUndecodable);
}

TEST_F(FormPostTest, TriesEachAddressOnce) {
  HostileServer good(Identity(), AlwaysAnswer(HttpAnswer("200 OK", "{}")));
  HostileServer reset(Identity(), [](Session&) {});
  reset.set_greeting(Greeting::kReset);
  EXPECT_EQ(Post({reset.port(), good.port()}).error_class, ErrorClass::kOk);
  EXPECT_EQ(connector_->reports, (std::vector<Classified>{{reset.port(), SocketState::kUnusable},
                                                          {good.port(), SocketState::kUsable}}));
  EXPECT_NE(Post({reset.port(), reset.port()}).error_class, ErrorClass::kOk);
  EXPECT_EQ(connector_->asked.size(), 2U);
}

TEST_F(FormPostTest, GoesOnWhenAnAddressRefusesAtOnce) {
  const std::uint16_t dead = HostileServer(Identity(), [](Session&) {}).port();
  HostileServer good(Identity(), AlwaysAnswer(HttpAnswer("200 OK", "{}")));
  EXPECT_EQ(Post({dead, good.port()}).error_class, ErrorClass::kOk);
  EXPECT_EQ(Post({dead, dead, good.port()}).error_class, ErrorClass::kOk);
  EXPECT_EQ(Post({dead, dead}).error_class, ErrorClass::kConnectionFailed);
  EXPECT_EQ(connector_->asked.size(), 2U);
}

TEST_F(FormPostTest, GoesOnWhenAnAddressIsSilentForAThirdOfTheTime) {
  HostileServer silent(Identity(), [](Session&) {});
  silent.set_greeting(Greeting::kSilence);
  HostileServer good(Identity(), AlwaysAnswer(HttpAnswer("200 OK", "{}")));
  EXPECT_EQ(Post({silent.port(), good.port()}, 1500ms).error_class, ErrorClass::kOk);
  EXPECT_EQ(Post({silent.port()}, 600ms).error_class, ErrorClass::kConnectionFailed);
}

TEST_F(FormPostTest, EndsAtItsDeadline) {
  HostileServer server(Identity(), [](Session& session) {
    (void)session.Read();
    (void)session.Read();  // until the client closes
  });
  EXPECT_EQ(Post({server.port()}, 300ms).error_class, ErrorClass::kTimeout);
  EXPECT_EQ(Post({server.port()}, -1ms).error_class, ErrorClass::kTimeout);
}

TEST_F(FormPostTest, TrustsItsRootsAndTheHostOfTheUrlAlone) {
  HostileServer other(authority_.Issue("DNS:other.test"), AlwaysAnswer(HttpAnswer("200 OK", "{}")));
  EXPECT_EQ(Post({other.port()}).error_class, ErrorClass::kTlsFailed);
  HostileServer expired(authority_.IssueExpired("DNS:" + std::string(kName)),
                        AlwaysAnswer(HttpAnswer("200 OK", "{}")));
  EXPECT_EQ(Post({expired.port()}).error_class, ErrorClass::kTlsFailed);
  const TestAuthority stranger("another authority");
  HostileServer strange(stranger.Issue("DNS:" + std::string(kName)),
                        AlwaysAnswer(HttpAnswer("200 OK", "{}")));
  EXPECT_EQ(Post({strange.port()}).error_class, ErrorClass::kTlsFailed);
}

TEST_F(FormPostTest, ReportsABodyThatIsCutShort) {
  HostileServer server(Identity(), [](Session& session) {
    (void)session.Read();
    session.Write("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nshort");
  });
  const FormAnswer answer = Post({server.port()});
  EXPECT_NE(answer.error_class, ErrorClass::kOk);
  EXPECT_NE(answer.error_class, ErrorClass::kUndecodable);
}

TEST(FormPosterTest, NeedsHttpsAndRoots) {
  const auto loop = *EventLoop::Create();
  LoopbackConnector connector(*loop, {{1}});
  const std::string pem = TestAuthority("a").CertificatePem();
  EXPECT_FALSE(FormPoster::Create(*loop, connector, {.url = "http://a/", .ca_pem = pem}));
  EXPECT_FALSE(FormPoster::Create(*loop, connector, {.url = "https://a/", .ca_pem = ""}));
  EXPECT_TRUE(FormPoster::Create(*loop, connector, {.url = "https://a/", .ca_pem = pem}));
}

}  // namespace
}  // namespace baokms::openbao
