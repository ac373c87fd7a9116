#include "supervisor/serve/notify.h"

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <string>
#include <string_view>

#include <gtest/gtest.h>

#include "common/base/error.h"
#include "common/base/unique_fd.h"

namespace baokms::supervisor {
namespace {

namespace fs = std::filesystem;

class NotifyTest : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string name = "/tmp/notify_XXXXXX";
    ASSERT_NE(::mkdtemp(name.data()), nullptr);
    root_ = name;
  }

  void TearDown() override {
    for (const char* name : {"NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"}) {
      ::unsetenv(name);
    }
    fs::remove_all(root_);
  }

  // Plays systemd. `name` as in NOTIFY_SOCKET: a path, or '@' and an abstract name.
  void ListenOn(const std::string& name) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::memcpy(address.sun_path, name.data(), name.size());
    if (name[0] == '@') {
      address.sun_path[0] = '\0';
    }
    systemd_ = UniqueFd(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    const auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + name.size());
    ASSERT_EQ(::bind(systemd_.get(), reinterpret_cast<const sockaddr*>(&address), size), 0);
    ASSERT_EQ(::setenv("NOTIFY_SOCKET", name.c_str(), 1), 0);
  }

  std::string Received() {
    std::array<char, 128> text{};
    const ssize_t size = ::recv(systemd_.get(), text.data(), text.size(), 0);
    return size > 0 ? std::string(text.data(), static_cast<std::size_t>(size)) : "";
  }

  fs::path root_;
  UniqueFd systemd_;
};

TEST_F(NotifyTest, SendsItsLinesAsOneDatagram) {
  ListenOn((root_ / "notify").string());
  const auto notifier = ServiceNotifier::FromEnvironment();
  ASSERT_TRUE(notifier) << notifier.error().ToString();
  EXPECT_TRUE(notifier->Send("READY=1\nSTATUS=healthy"));
  EXPECT_EQ(Received(), "READY=1\nSTATUS=healthy");
}

TEST_F(NotifyTest, ReachesAnAbstractSocket) {
  ListenOn("@baokms-notify-test-" + std::to_string(::getpid()));
  const auto notifier = ServiceNotifier::FromEnvironment();
  ASSERT_TRUE(notifier) << notifier.error().ToString();
  EXPECT_TRUE(notifier->Send("STOPPING=1"));
  EXPECT_EQ(Received(), "STOPPING=1");
}

TEST_F(NotifyTest, LeavesNoVariableForChildren) {
  ListenOn((root_ / "notify").string());
  ASSERT_TRUE(ServiceNotifier::FromEnvironment());
  EXPECT_EQ(std::getenv("NOTIFY_SOCKET"), nullptr);
}

TEST_F(NotifyTest, KnowsHowLongSystemdWaitsForThisProcess) {
  ListenOn((root_ / "notify").string());
  ::setenv("WATCHDOG_USEC", "30000000", 1);
  EXPECT_EQ(ServiceNotifier::FromEnvironment()->watchdog(), std::chrono::seconds(30));
  EXPECT_EQ(std::getenv("WATCHDOG_USEC"), nullptr);

  ListenOn((root_ / "again").string());
  EXPECT_EQ(ServiceNotifier::FromEnvironment()->watchdog(), BootTime::zero());

  ListenOn((root_ / "own").string());
  ::setenv("WATCHDOG_USEC", "1000000", 1);
  ::setenv("WATCHDOG_PID", std::to_string(::getpid()).c_str(), 1);
  EXPECT_EQ(ServiceNotifier::FromEnvironment()->watchdog(), std::chrono::seconds(1));
  EXPECT_EQ(std::getenv("WATCHDOG_PID"), nullptr);

  ListenOn((root_ / "other").string());
  ::setenv("WATCHDOG_USEC", "1000000", 1);
  ::setenv("WATCHDOG_PID", "1", 1);
  EXPECT_EQ(ServiceNotifier::FromEnvironment()->watchdog(), BootTime::zero());
}

TEST_F(NotifyTest, RefusesAWatchdogTimeThatIsNone) {
  for (const char* bad :
       {"", "0", "-1", "999999", "2000000s", "86400000001", "99999999999999999999"}) {
    ::setenv("WATCHDOG_USEC", bad, 1);
    EXPECT_EQ(ServiceNotifier::FromEnvironment().error().code(), ErrorCode::kInvalidArgument)
        << bad;
  }
}

TEST_F(NotifyTest, SaysNothingWithoutAServiceManager) {
  ListenOn((root_ / "notify").string());
  ::unsetenv("NOTIFY_SOCKET");
  const auto notifier = ServiceNotifier::FromEnvironment();
  ASSERT_TRUE(notifier);
  EXPECT_TRUE(notifier->Send("READY=1"));
  EXPECT_EQ(Received(), "");
}

TEST_F(NotifyTest, SurvivesAServiceManagerThatWentAway) {
  ListenOn((root_ / "notify").string());
  const auto notifier = ServiceNotifier::FromEnvironment();
  ASSERT_TRUE(notifier);
  systemd_.reset();
  EXPECT_TRUE(notifier->Send("READY=1"));  // would end the process by SIGPIPE if it could
}

TEST_F(NotifyTest, DoesNotWaitForAServiceManagerThatDoesNotRead) {
  ListenOn((root_ / "notify").string());
  const auto notifier = ServiceNotifier::FromEnvironment();
  ASSERT_TRUE(notifier);
  int taken = 0;
  while (notifier->Send("STATUS=healthy") && taken < 1'000'000) {
    ++taken;
  }
  EXPECT_LT(taken, 1'000'000) << "the queue has an end, and Send() tells";
  EXPECT_EQ(Received(), "STATUS=healthy");
  EXPECT_TRUE(notifier->Send("READY=1"));
}

TEST_F(NotifyTest, RefusesAVariableThatIsNoSocket) {
  ::setenv("NOTIFY_SOCKET", (root_ / "nobody").c_str(), 1);
  EXPECT_EQ(ServiceNotifier::FromEnvironment().error().code(), ErrorCode::kSystem);
  for (const char* bad : {"", "/", "relative", "@"}) {
    ::setenv("NOTIFY_SOCKET", bad, 1);
    EXPECT_EQ(ServiceNotifier::FromEnvironment().error().code(), ErrorCode::kInvalidArgument)
        << bad;
  }
  ::setenv("NOTIFY_SOCKET", ("/" + std::string(200, 'x')).c_str(), 1);
  EXPECT_EQ(ServiceNotifier::FromEnvironment().error().code(), ErrorCode::kInvalidArgument);
}

}  // namespace
}  // namespace baokms::supervisor
