#include "supervisor/isolation/running_provider.h"

#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <fstream>
#include <string>
#include <thread>

#include <gtest/gtest.h>

#include "common/base/unique_fd.h"

namespace baokms::supervisor {
namespace {

// Answers one request with `answer`.
class OneAnswer {
 public:
  explicit OneAnswer(std::string answer) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    auto* const any = reinterpret_cast<sockaddr*>(&address);
    EXPECT_EQ(::bind(listener_.get(), any, size), 0);
    EXPECT_EQ(::listen(listener_.get(), 1), 0);
    EXPECT_EQ(::getsockname(listener_.get(), any, &size), 0);
    address_ = "127.0.0.1:" + std::to_string(ntohs(address.sin_port));
    thread_ = std::thread([this, answer = std::move(answer)] {
      const UniqueFd client(::accept(listener_.get(), nullptr, nullptr));
      char request[256];
      (void)!::recv(client.get(), request, sizeof request, 0);
      (void)!::send(client.get(), answer.data(), answer.size(), MSG_NOSIGNAL);
    });
  }

  OneAnswer(const OneAnswer&) = delete;
  OneAnswer& operator=(const OneAnswer&) = delete;

  ~OneAnswer() { thread_.join(); }

  [[nodiscard]] const std::string& address() const { return address_; }

 private:
  UniqueFd listener_{::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
  std::string address_;
  std::thread thread_;
};

TEST(AskForIsolationTest, TakesItFromAProviderThatIsNotReady) {
  const OneAnswer server(
      "HTTP/1.1 503 Service Unavailable\r\nA: b\r\n\r\n{\"isolation\":{\"a\":1}}");
  EXPECT_EQ(AskForIsolation(server.address()), "{\"a\":1}");
}

TEST(AskForIsolationTest, SaysNothingWithoutAnAnswer) {
  EXPECT_EQ(AskForIsolation(""), "");
  EXPECT_EQ(AskForIsolation("127.0.0.1:1"), "");
  for (const char* answer : {"", "HTTP/1.1 200 OK\r\n", "HTTP/1.1 200 OK\r\n\r\n", "x\r\n\r\n[]",
                             "x\r\n\r\n{\"status\":\"ok\"}", "x\r\n\r\n{"}) {
    const OneAnswer server(answer);
    EXPECT_EQ(AskForIsolation(server.address()), "") << answer;
  }
}

TEST(FindRunningProviderTest, WantsAProcessOfTheProgram) {
  const std::string state = ::testing::TempDir() + "running_provider_test";
  EXPECT_FALSE(FindRunningProvider(state).has_value()) << "no lock file";
  for (const std::string& text : {std::string("x\n"), std::string("-1\n"),
                                  std::string("999999999\n"), std::to_string(::getpid()) + "\n"}) {
    std::ofstream(state + ".lock") << text;
    EXPECT_FALSE(FindRunningProvider(state).has_value()) << text;
  }
}

}  // namespace
}  // namespace baokms::supervisor
