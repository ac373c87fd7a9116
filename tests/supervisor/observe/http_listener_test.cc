#include "supervisor/observe/http_listener.h"

#include <arpa/inet.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <future>
#include <map>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "common/base/error.h"
#include "common/base/result.h"
#include "common/base/unique_fd.h"
#include "tests/supervisor/observe/raw_http.h"

namespace baokms::supervisor {
namespace {

std::map<std::string, HttpHandler> Handlers() {
  return {{"/live",
           [] {
             return HttpReply{
                 .status = 200, .content_type = "application/json", .body = R"({"status":"ok"})"};
           }},
          {"/ready",
           [] {
             return HttpReply{.status = 503, .content_type = "application/json", .body = "{}"};
           }},
          {"/large",
           [] {
             return HttpReply{.status = 200,
                              .content_type = "text/plain",
                              .body = std::string(4 * 1024 * 1024, 'x')};
           }},
          {"/throws", []() -> HttpReply {
             throw std::runtime_error("handler");
           }}};
}

std::unique_ptr<HttpListener> StartOn(const std::string& host, HttpBounds bounds = {}) {
  Result<std::unique_ptr<HttpListener>> started = HttpListener::Start(host, 0, Handlers(), bounds);
  EXPECT_TRUE(started.has_value()) << started.error().ToString();
  return std::move(*started);
}

TEST(HttpListenerTest, AnswersLiveByteForByte) {
  const auto listener = StartOn("127.0.0.1");
  EXPECT_EQ(Get(listener->port(), "/live"),
            "HTTP/1.1 200 OK\r\n"
            "Content-Type: application/json\r\n"
            "Content-Length: 15\r\n"
            "Cache-Control: no-store\r\n"
            "Connection: close\r\n"
            "\r\n"
            "{\"status\":\"ok\"}");
}

TEST(HttpListenerTest, AnswersHeadWithTheSameHeaderAndNoBody) {
  const auto listener = StartOn("127.0.0.1");
  const std::string get = Get(listener->port(), "/live");
  const std::string head = Get(listener->port(), "/live", "HEAD");
  EXPECT_EQ(head + "{\"status\":\"ok\"}", get);
}

TEST(HttpListenerTest, RefusesEveryOtherMethod) {
  const auto listener = StartOn("127.0.0.1");
  for (const std::string_view method : {"POST", "PUT", "DELETE", "OPTIONS", "PATCH", "PROPFIND"}) {
    const std::string answer = Get(listener->port(), "/live", method);
    EXPECT_EQ(StatusOf(answer), "HTTP/1.1 405 Method Not Allowed") << method;
    EXPECT_NE(answer.find("\r\nAllow: GET, HEAD\r\n"), std::string::npos);
    EXPECT_EQ(BodyOf(answer), "");
  }
}

TEST(HttpListenerTest, KnowsNoOtherPathAndServesNoFile) {
  const auto listener = StartOn("127.0.0.1");
  for (const std::string_view path :
       {"/", "/live/", "/livex", "/LIVE", "/etc/passwd", "/../etc/passwd", "/%2e%2e/etc/passwd",
        "/live/../../etc/passwd", "/index.html", "/a.cgi", "/a.shtml"}) {
    const std::string answer = Get(listener->port(), path);
    EXPECT_EQ(StatusOf(answer), "HTTP/1.1 404 Not Found") << path;
    EXPECT_EQ(BodyOf(answer), "");
  }
}

TEST(HttpListenerTest, IgnoresAQueryAndABody) {
  const auto listener = StartOn("127.0.0.1");
  EXPECT_EQ(BodyOf(Get(listener->port(), "/live?verbose=1")), "{\"status\":\"ok\"}");
  EXPECT_EQ(StatusOf(Exchange(listener->port(),
                              "GET /live HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello")),
            "HTTP/1.1 200 OK");
}

TEST(HttpListenerTest, ClosesAfterOneAnswerEvenWhenAskedToStay) {
  const auto listener = StartOn("127.0.0.1");
  const std::string two =
      "GET /live HTTP/1.1\r\nHost: a\r\nConnection: keep-alive\r\n\r\n"
      "GET /live HTTP/1.1\r\nHost: a\r\n\r\n";
  const std::string answer = Exchange(listener->port(), two);
  EXPECT_EQ(answer.find("HTTP/1.1 200 OK"), 0U);
  EXPECT_EQ(answer.find("HTTP/1.1", 1), std::string::npos);
}

TEST(HttpListenerTest, SurvivesGarbage) {
  const auto listener = StartOn("127.0.0.1", {.request_time = std::chrono::milliseconds(200)});
  const std::vector<std::string> requests = {
      "\r\n\r\n",
      "GET\r\n\r\n",
      "GET /live\r\n\r\n",
      "GET /live HTTP/9.9\r\n\r\n",
      "get /live HTTP/1.1\r\n\r\n",
      "FROB /live HTTP/1.1\r\n\r\n",
      "GET /live HTTP/1.1\r\nno colon here\r\n\r\n",
      "GET /live HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
      "GET /live HTTP/1.1\r\nTransfer-Encoding: nonsense\r\n\r\n",
      "GET http://other.example/live HTTP/1.1\r\nHost: a\r\n\r\n",
      std::string("GET /live\0 HTTP/1.1\r\n\r\n", 23),
      std::string(3000, '\xff'),
      std::string("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 11),
      "GET /live HTTP/1.1\r\n" + std::string(100, '\n'),
  };
  for (const std::string& request : requests) {
    const std::string answer = Exchange(listener->port(), request);
    EXPECT_EQ(answer.find("<html"), std::string::npos) << request;
    EXPECT_EQ(BodyOf(Get(listener->port(), "/live")), "{\"status\":\"ok\"}") << request;
  }
}

TEST(HttpListenerTest, RefusesAHeaderOverTheMaximum) {
  const auto listener = StartOn("127.0.0.1", {.request_time = std::chrono::milliseconds(500)});
  const std::string answer = Exchange(
      listener->port(), "GET /live HTTP/1.1\r\nX: " + std::string(64 * 1024, 'a') + "\r\n\r\n");
  EXPECT_EQ(answer.find("200 OK"), std::string::npos);
  const std::string many = [] {
    std::string text = "GET /live HTTP/1.1\r\n";
    for (int i = 0; i < 200; ++i) {
      text += "X-" + std::to_string(i) + ": a\r\n";
    }
    return text + "\r\n";
  }();
  (void)Exchange(listener->port(), many);
  EXPECT_EQ(BodyOf(Get(listener->port(), "/live")), "{\"status\":\"ok\"}");
}

// Each of them costs the test a descriptor, and the listener one as well.
void RaiseDescriptorLimit() {
  rlimit limit{};
  ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &limit), 0);
  limit.rlim_cur = std::min<rlim_t>(limit.rlim_max, 4096);
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &limit), 0);
}

std::vector<UniqueFd> OpenThousand(std::uint16_t port, std::string_view text) {
  std::vector<UniqueFd> open;
  for (int i = 0; i < 1000; ++i) {
    open.push_back(ConnectTo(port));
    EXPECT_TRUE(open.back().valid());
    SendText(open.back(), text);
  }
  return open;
}

TEST(HttpListenerTest, AnswersWhileAThousandConnectionsAreSilentOrSlow) {
  RaiseDescriptorLimit();
  const auto listener = StartOn("127.0.0.1", {.request_time = std::chrono::minutes(5)});
  const auto silent = OpenThousand(listener->port(), "");
  EXPECT_EQ(BodyOf(Get(listener->port(), "/live")), "{\"status\":\"ok\"}");
  const auto slow = OpenThousand(listener->port(), "GET /live HT");
  EXPECT_EQ(BodyOf(Get(listener->port(), "/live")), "{\"status\":\"ok\"}");
}

// Connects from an address of 127/8, all of which are this host's.
UniqueFd ConnectFrom(const char* address, std::uint16_t port) {
  UniqueFd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in own{};
  own.sin_family = AF_INET;
  ::inet_pton(AF_INET, address, &own.sin_addr);
  sockaddr_in server = own;
  ::inet_pton(AF_INET, "127.0.0.1", &server.sin_addr);
  server.sin_port = htons(port);
  EXPECT_EQ(::bind(fd.get(), reinterpret_cast<const sockaddr*>(&own), sizeof own), 0);
  EXPECT_EQ(::connect(fd.get(), reinterpret_cast<const sockaddr*>(&server), sizeof server), 0);
  return fd;
}

TEST(HttpListenerTest, ACrowdFromOneAddressDisplacesItself) {
  const auto listener = StartOn("127.0.0.1", {.request_time = std::chrono::minutes(5)});
  const UniqueFd slow = ConnectTo(listener->port());
  SendText(slow, "GET /live HTTP/1.1\r\n");
  std::vector<UniqueFd> crowd;
  for (int i = 0; i < 200; ++i) {
    crowd.push_back(ConnectFrom("127.0.0.2", listener->port()));
  }
  EXPECT_TRUE(ClosesInSilence(crowd.front()));
  SendText(slow, "Host: a\r\n\r\n");
  EXPECT_EQ(BodyOf(ReceiveAll(slow)), "{\"status\":\"ok\"}");
}

TEST(HttpListenerTest, AnswersWhoAskedBeforeItsPlaceWasTaken) {
  std::promise<void> entered;
  std::promise<void> go_on;
  std::map<std::string, HttpHandler> handlers = Handlers();
  handlers["/wait"] = [&] {
    entered.set_value();
    go_on.get_future().wait();
    return HttpReply{};
  };
  const auto listener = HttpListener::Start("127.0.0.1", 0, handlers).value();
  const UniqueFd probe = ConnectTo(listener->port());
  const UniqueFd busy = ConnectTo(listener->port());
  SendText(busy, "GET /wait HTTP/1.1\r\nHost: a\r\n\r\n");
  entered.get_future().wait();
  std::vector<UniqueFd> crowd;
  for (int i = 0; i < 300; ++i) {
    crowd.push_back(ConnectTo(listener->port()));
  }
  SendText(probe, "GET /live HTTP/1.1\r\nHost: a\r\n\r\n");
  go_on.set_value();
  EXPECT_EQ(BodyOf(ReceiveAll(probe)), "{\"status\":\"ok\"}");
  EXPECT_TRUE(ClosesInSilence(crowd.front()));
}

TEST(HttpListenerTest, ACrowdHasLessTime) {
  const HttpBounds bounds{.request_time = std::chrono::minutes(5),
                          .crowd_time = std::chrono::milliseconds(50)};
  const auto listener = StartOn("127.0.0.1", bounds);
  const UniqueFd slow = ConnectFrom("127.0.0.2", listener->port());
  SendText(slow, "GET /live HTTP/1.1\r\n");
  std::vector<UniqueFd> crowd;
  for (std::size_t i = 0; i <= bounds.crowd; ++i) {
    crowd.push_back(ConnectTo(listener->port()));
  }
  EXPECT_EQ(StatusOf(ReceiveAll(crowd.front())), "HTTP/1.1 408 Request Timeout");
  SendText(slow, "Host: a\r\n\r\n");
  EXPECT_EQ(BodyOf(ReceiveAll(slow)), "{\"status\":\"ok\"}");
}

TEST(HttpListenerTest, ClosesTheOldestConnectionOverTheMaximum) {
  const auto listener =
      StartOn("127.0.0.1", {.connections = 2, .request_time = std::chrono::minutes(5)});
  const UniqueFd oldest = ConnectTo(listener->port());
  const UniqueFd next = ConnectTo(listener->port());
  SendText(next, "GET /live HTTP/1.1\r\n");
  const UniqueFd newest = ConnectTo(listener->port());
  ASSERT_TRUE(ClosesInSilence(oldest)) << "a third connection displaced none of the two before";
  SendText(next, "Host: a\r\n\r\n");
  EXPECT_EQ(BodyOf(ReceiveAll(next)), "{\"status\":\"ok\"}");
}

TEST(HttpListenerTest, TellsASlowClientThatItsTimeIsUp) {
  const auto listener = StartOn("127.0.0.1", {.request_time = std::chrono::milliseconds(50)});
  const UniqueFd slow = ConnectTo(listener->port());
  SendText(slow, "GET /live HT");
  EXPECT_EQ(StatusOf(ReceiveAll(slow)), "HTTP/1.1 408 Request Timeout");
}

TEST(HttpListenerTest, SurvivesClientsThatLeaveDuringALargeAnswer) {
  const auto listener = StartOn("127.0.0.1", {.request_time = std::chrono::milliseconds(500)});
  for (int i = 0; i < 10; ++i) {
    const UniqueFd fd = ConnectTo(listener->port());
    SendText(fd, "GET /large HTTP/1.1\r\nHost: a\r\n\r\n");
    const linger now{1, 0};
    ::setsockopt(fd.get(), SOL_SOCKET, SO_LINGER, &now, sizeof now);
  }
  EXPECT_EQ(BodyOf(Get(listener->port(), "/large")).size(), 4U * 1024 * 1024);
}

TEST(HttpListenerTest, TurnsAnExceptionInto500) {
  const auto listener = StartOn("127.0.0.1");
  EXPECT_EQ(StatusOf(Get(listener->port(), "/throws")), "HTTP/1.1 500 Internal Server Error");
  EXPECT_EQ(StatusOf(Get(listener->port(), "/live")), "HTTP/1.1 200 OK");
}

TEST(HttpListenerTest, ListensOnIpv6Literals) {
  const auto listener = StartOn("::1");
  EXPECT_EQ(BodyOf(Exchange(listener->port(), "GET /live HTTP/1.1\r\nHost: a\r\n\r\n", AF_INET6)),
            "{\"status\":\"ok\"}");
  EXPECT_FALSE(ConnectTo(listener->port()).valid()) << "not on IPv4";
}

TEST(HttpListenerTest, ListensEverywhereWithoutAHost) {
  const auto listener = StartOn("");
  EXPECT_EQ(StatusOf(Get(listener->port(), "/live")), "HTTP/1.1 200 OK");
  EXPECT_EQ(StatusOf(Exchange(listener->port(), "GET /live HTTP/1.1\r\nHost: a\r\n\r\n", AF_INET6)),
            "HTTP/1.1 200 OK");
}

TEST(HttpListenerTest, ListensOnAName) {
  const auto listener = StartOn("localhost");
  EXPECT_NE(listener->port(), 0);
}

TEST(HttpListenerTest, SaysWhyItCannotBind) {
  const auto first = StartOn("127.0.0.1");
  const auto second = HttpListener::Start("127.0.0.1", first->port(), Handlers());
  ASSERT_FALSE(second.has_value());
  EXPECT_EQ(second.error().code(), ErrorCode::kUnavailable);
  EXPECT_EQ(second.error().sys_errno(), EADDRINUSE);
  const auto foreign = HttpListener::Start("192.0.2.1", 0, Handlers());
  ASSERT_FALSE(foreign.has_value());
  EXPECT_EQ(foreign.error().sys_errno(), EADDRNOTAVAIL);
  EXPECT_FALSE(HttpListener::Start("no.such.host.invalid", 0, Handlers()).has_value());
  EXPECT_EQ(StatusOf(Get(first->port(), "/live")), "HTTP/1.1 200 OK");
}

TEST(HttpListenerTest, TwoListenersKeepTheirHandlersApart) {
  const auto health = StartOn("127.0.0.1");
  auto metrics = HttpListener::Start("127.0.0.1", 0, {{"/metrics", [] {
                                                         return HttpReply{200, "text/plain", "m"};
                                                       }}});
  ASSERT_TRUE(metrics.has_value());
  EXPECT_EQ(BodyOf(Get((*metrics)->port(), "/metrics")), "m");
  EXPECT_EQ(StatusOf(Get((*metrics)->port(), "/live")), "HTTP/1.1 404 Not Found");
  EXPECT_EQ(StatusOf(Get(health->port(), "/metrics")), "HTTP/1.1 404 Not Found");
}

TEST(HttpListenerTest, EndsPromptlyAndFreesItsPort) {
  auto listener = StartOn("127.0.0.1");
  const std::uint16_t port = listener->port();
  const UniqueFd waiting = ConnectTo(port);
  SendText(waiting, "GET /li");
  listener.reset();
  EXPECT_FALSE(ConnectTo(port).valid());
  EXPECT_TRUE(HttpListener::Start("127.0.0.1", port, Handlers()).has_value());
}

}  // namespace
}  // namespace baokms::supervisor
