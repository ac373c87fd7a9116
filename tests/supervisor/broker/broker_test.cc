#include "supervisor/broker/broker.h"

#include <arpa/inet.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <unistd.h>

#include <chrono>
#include <cstdint>
#include <fstream>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/base/clock.h"
#include "common/base/event_loop.h"
#include "common/base/unique_fd.h"
#include "ipc/limits.h"
#include "proto/ipc.pb.h"
#include "tests/supervisor/status/fake_observers.h"
#include "tests/supervisor/workers/run_loop.h"

namespace baokms::supervisor {
namespace {

using std::chrono::milliseconds;
using ::testing::NiceMock;

// A listener on an address of this machine and a port of the kernel's choice.
class Listener final {
 public:
  explicit Listener(in_addr_t host = INADDR_LOOPBACK)
      : fd_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(host);
    socklen_t size = sizeof address;
    EXPECT_EQ(::bind(fd_.get(), reinterpret_cast<const sockaddr*>(&address), size), 0);
    EXPECT_EQ(::listen(fd_.get(), 8), 0);
    EXPECT_EQ(::getsockname(fd_.get(), reinterpret_cast<sockaddr*>(&address), &size), 0);
    port_ = ntohs(address.sin_port);
  }

  // Whether a connection has come, within a second.
  bool Accept() {
    pollfd ready{.fd = fd_.get(), .events = POLLIN, .revents = 0};
    return ::poll(&ready, 1, 1000) == 1 &&
           UniqueFd(::accept4(fd_.get(), nullptr, nullptr, SOCK_CLOEXEC)).valid();
  }

  [[nodiscard]] std::uint16_t port() const { return port_; }

 private:
  UniqueFd fd_;
  std::uint16_t port_ = 0;
};

int OptionOf(const UniqueFd& socket, int level, int name) {
  int value = -1;
  socklen_t size = sizeof value;
  EXPECT_EQ(::getsockopt(socket.get(), level, name, &value, &size), 0);
  return value;
}

class BrokerTest : public ::testing::Test {
 protected:
  void Serve(std::vector<BrokerEndpoint> endpoints) {
    broker_ = Broker::Create(*loop_, metrics_, std::move(endpoints), milliseconds(500)).value();
  }

  BrokerAnswer Connect(std::uint32_t endpoint,
                       const std::vector<std::uint32_t>& tried = {},
                       std::uint64_t id = 1) {
    ipc::ConnectRequest request;
    request.set_id(id);
    request.set_endpoint(endpoint);
    request.mutable_tried()->Add(tried.begin(), tried.end());
    std::optional<BrokerAnswer> answer;
    broker_->Connect("worker_0/1", request, [&](BrokerAnswer given) { answer = std::move(given); });
    EXPECT_TRUE(RunUntil(*loop_, [&] { return answer.has_value(); }));
    return answer ? std::move(*answer) : BrokerAnswer();
  }

  void Report(std::uint64_t id, bool usable, std::string_view asked_by = "worker_0/1") {
    ipc::ConnectReport report;
    report.set_id(id);
    report.set_usable(usable);
    broker_->TakeReport(asked_by, report);
  }

  std::unique_ptr<EventLoop> loop_ = EventLoop::Create().value();
  NiceMock<MockMetrics> metrics_;
  std::unique_ptr<Broker> broker_;
};

TEST_F(BrokerTest, HandsOverASocketThatReachesTheEndpoint) {
  Listener listener;
  Serve({{"127.0.0.1", listener.port()}});
  EXPECT_CALL(metrics_, BrokerConnection(0, std::string_view("started")));
  const BrokerAnswer answer = Connect(0);
  EXPECT_EQ(answer.outcome, ipc::OUTCOME_OK);
  EXPECT_NE(answer.address, 0U);
  EXPECT_EQ(answer.untried, 0U);
  EXPECT_TRUE(listener.Accept());
}

TEST_F(BrokerTest, SocketsAreNonBlockingPromptAndNoticeADeadPeer) {
  Listener listener;
  Serve({{"127.0.0.1", listener.port()}});
  const BrokerAnswer answer = Connect(0);
  ASSERT_TRUE(answer.socket.valid());
  EXPECT_NE(::fcntl(answer.socket.get(), F_GETFL) & O_NONBLOCK, 0);
  EXPECT_EQ(::fcntl(answer.socket.get(), F_GETFD), FD_CLOEXEC);
  EXPECT_NE(OptionOf(answer.socket, IPPROTO_TCP, TCP_NODELAY), 0);
  EXPECT_EQ(OptionOf(answer.socket, IPPROTO_TCP, TCP_USER_TIMEOUT), 3000);
}

// The number is all that a child can name: no address of its own choice.
TEST_F(BrokerTest, KnowsTheEndpointsOfTheSetUpAlone) {
  Listener listener;
  Serve({{"127.0.0.1", listener.port()}});
  EXPECT_EQ(Connect(1).outcome, ipc::OUTCOME_INVALID_REQUEST);
  EXPECT_EQ(Connect(0xffffffff).outcome, ipc::OUTCOME_INVALID_REQUEST);
  EXPECT_FALSE(Connect(1).socket.valid());
}

TEST_F(BrokerTest, RefusesAListOfMoreAddressesThanAnEndpointHas) {
  Listener listener;
  Serve({{"127.0.0.1", listener.port()}});
  EXPECT_EQ(Connect(0, std::vector<std::uint32_t>(ipc::kMaxAddresses, 7)).outcome, ipc::OUTCOME_OK);
  EXPECT_EQ(Connect(0, std::vector<std::uint32_t>(ipc::kMaxAddresses + 1, 7)).outcome,
            ipc::OUTCOME_INVALID_REQUEST);
}

TEST_F(BrokerTest, ConnectsToTheEndpointThatWasAskedFor) {
  Listener first;
  Listener second;
  Serve({{"127.0.0.1", first.port()}, {"127.0.0.1", second.port()}});
  ASSERT_EQ(Connect(1).outcome, ipc::OUTCOME_OK);
  EXPECT_TRUE(second.Accept());
}

// Has this process see a network of its own with one local port to connect from.
void LeaveOneLocalPort() {
  ifreq loopback{};
  std::string("lo").copy(loopback.ifr_name, sizeof loopback.ifr_name);
  loopback.ifr_flags = IFF_UP;
  const UniqueFd socket(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  ASSERT_EQ(::ioctl(socket.get(), SIOCSIFFLAGS, &loopback), 0);
  ASSERT_TRUE(std::ofstream("/proc/sys/net/ipv4/ip_local_port_range")
              << "40000 40000" << std::endl);
}

TEST_F(BrokerTest, SaysWhenThisMachineHasNoPortLeft) {
  if (::geteuid() != 0) {
    GTEST_SKIP() << "a network of its own needs root";
  }
  const pid_t child = ::fork();
  if (child == 0) {
    EXPECT_EQ(::unshare(CLONE_NEWNET), 0);
    const Listener listener;
    LeaveOneLocalPort();
    Serve({{"127.0.0.1", listener.port()}});
    const BrokerAnswer first = Connect(0);
    EXPECT_EQ(first.outcome, ipc::OUTCOME_OK);
    EXPECT_CALL(metrics_, BrokerConnection(0, std::string_view("no_local_port")));
    EXPECT_EQ(Connect(0).outcome, ipc::OUTCOME_CONNECTION_FAILED);
    testing::Mock::VerifyAndClearExpectations(&metrics_);
    ::_exit(HasFailure() ? 1 : 0);
  }
  int status = 0;
  EXPECT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0) << "see above";
}

TEST_F(BrokerTest, SaysWhenANameDoesNotResolve) {
  Serve({{"openbao.invalid", 8200}});
  EXPECT_CALL(metrics_, BrokerConnection(0, std::string_view("dns_failed")));
  const BrokerAnswer answer = Connect(0);
  EXPECT_EQ(answer.outcome, ipc::OUTCOME_DNS_FAILED);
  EXPECT_FALSE(answer.socket.valid());
}

TEST_F(BrokerTest, AnswersAllWhoAskDuringOneLookup) {
  Listener listener;
  Serve({{"localhost", listener.port()}});
  ipc::ConnectRequest request;
  int answers = 0;
  for (int i = 0; i < 5; ++i) {
    broker_->Connect("worker_0/1", request, [&](const BrokerAnswer& answer) {
      EXPECT_EQ(answer.outcome, ipc::OUTCOME_OK);
      ++answers;
    });
  }
  EXPECT_TRUE(RunUntil(*loop_, [&] { return answers == 5; }));
}

// An address of the loopback network, all of which is this machine.
SocketAddress Loopback(std::uint8_t last, std::uint16_t port) {
  SocketAddress address;
  auto* in = reinterpret_cast<sockaddr_in*>(&address.storage);
  in->sin_family = AF_INET;
  in->sin_addr.s_addr = htonl(0x7f000000U | last);
  in->sin_port = htons(port);
  address.size = sizeof(sockaddr_in);
  return address;
}

// The name has 127.0.0.1, 127.0.0.2 and 127.0.0.3, and a real listener on each. The numbers of the
// addresses are 1, 2 and 3 as well, because that is the order in which they appear first.
class FailoverTest : public BrokerTest {
 protected:
  FailoverTest() {
    broker_ = std::make_unique<Broker>(
        *loop_,
        [this](const std::string&, std::uint16_t port, BootTime, const Resolver::Callback& found) {
          ++lookups_;
          loop_->Post([this, port, found, addresses = std::exchange(addresses_, {})] {
            std::vector<SocketAddress> list;
            for (const std::uint8_t last : addresses) {
              list.push_back(Loopback(last, port));
            }
            found(list);
          });
        },
        metrics_, std::vector<BrokerEndpoint>{{"openbao.test", listener_.port()}},
        milliseconds(500));
  }

  // The last number of the address that the socket reached.
  int Reached(const std::vector<std::uint32_t>& tried, std::uint64_t id = 1) {
    const BrokerAnswer answer = Connect(0, tried, id);
    sockaddr_in peer{};
    socklen_t size = sizeof peer;
    pollfd ready{.fd = answer.socket.get(), .events = POLLOUT, .revents = 0};
    EXPECT_EQ(::poll(&ready, 1, 1000), 1);
    EXPECT_EQ(::getpeername(answer.socket.get(), reinterpret_cast<sockaddr*>(&peer), &size), 0);
    const auto last = ntohl(peer.sin_addr.s_addr) & 0xffU;
    EXPECT_EQ(answer.address, last);
    return static_cast<int>(last);
  }

  // Has the next request look the name up again, with this result.
  void ResolveAgain(std::vector<std::uint8_t> addresses) {
    addresses_ = std::move(addresses);
    RunFor(*loop_, milliseconds(1010));  // the lifetime of an answer
  }

  Listener listener_{INADDR_ANY};
  std::vector<std::uint8_t> addresses_ = {1, 2, 3};
  int lookups_ = 0;
};

TEST_F(FailoverTest, GoesThroughTheAddressesInOrderFromWhereTheCallBegan) {
  EXPECT_EQ(Reached({}), 1);
  EXPECT_EQ(Reached({1}), 2);
  EXPECT_EQ(Reached({1, 2}), 3);
  EXPECT_EQ(Reached({2}), 3);
  EXPECT_EQ(Reached({2, 3}), 1);
  EXPECT_EQ(Connect(0, {2}).untried, 1U);
  EXPECT_EQ(Connect(0, {2, 3}).untried, 0U);
}

TEST_F(FailoverTest, SaysWhenAllAddressesWereTried) {
  EXPECT_EQ(Reached({}), 1);
  const BrokerAnswer answer = Connect(0, {3, 1, 2});
  EXPECT_EQ(answer.outcome, ipc::OUTCOME_CONNECTION_FAILED);
  EXPECT_EQ(answer.address, 0U);
  EXPECT_EQ(answer.untried, 0U);
}

// The fault that this order exists for: the report of one attempt must not make the next attempt
// of the same call skip, or repeat, an address.
TEST_F(FailoverTest, ReportsOfOtherCallsDoNotChangeTheOrderOfOneInProgress) {
  EXPECT_EQ(Reached({}, 5), 1);
  Report(5, false);
  EXPECT_EQ(Reached({1}, 6), 2);
  Report(6, false);
  EXPECT_EQ(Reached({1, 2}, 7), 3);
  Report(7, true);
  EXPECT_EQ(Reached({2}, 8), 3);
}

TEST_F(FailoverTest, TheAddressThatWorkedComesFirst) {
  EXPECT_EQ(Reached({1, 2}, 5), 3);
  Report(5, true);
  EXPECT_EQ(Reached({}), 3);
  EXPECT_EQ(Reached({3}), 1);
}

TEST_F(FailoverTest, AnAddressThatFailedIsNotFirstAnyMore) {
  EXPECT_EQ(Reached({}, 5), 1);
  Report(5, false);
  EXPECT_EQ(Reached({}), 2);
}

TEST_F(FailoverTest, AFailureOfALaterAddressChangesNothing) {
  EXPECT_EQ(Reached({1}, 5), 2);
  Report(5, false);
  EXPECT_EQ(Reached({}), 1);
}

TEST_F(FailoverTest, AUsableConnectionMayBecomeUnusableAndOnlyWhoAskedMaySaySo) {
  EXPECT_EQ(Reached({1}, 5), 2);
  Report(5, true, "worker_1/1");
  Report(6, true);
  EXPECT_EQ(Reached({}, 7), 1) << "neither was about this connection";
  Report(5, true);
  EXPECT_EQ(Reached({}, 8), 2);
  Report(5, false);
  EXPECT_EQ(Reached({}, 9), 3) << "sealed, or a redirect, after a good handshake";
  Report(5, true);
  EXPECT_EQ(Reached({}, 10), 3) << "the connection was forgotten when it became unusable";
}

// A worker that connects endlessly, or repeats its reports, does not touch what others have.
TEST_F(FailoverTest, TheConnectionsOfOneAreNotDisplacedByThoseOfAnother) {
  constexpr auto kLast = static_cast<std::uint64_t>(ipc::kConnectsStarted.burst);
  EXPECT_EQ(Reached({1}, 5), 2);
  for (std::uint64_t id = 1; id <= kLast; ++id) {
    ipc::ConnectRequest request;
    request.set_id(id);
    broker_->Connect("worker_1/1", request, [](const BrokerAnswer&) {});
  }
  EXPECT_CALL(metrics_, BrokerConnection(0, std::string_view("started")));
  EXPECT_CALL(metrics_, BrokerConnection(0, std::string_view("usable"))).Times(2);
  Report(5, true);
  EXPECT_EQ(Connect(0, {}, 6).address, 2U);
  for (int i = 0; i < 10; ++i) {
    Report(kLast, true, "worker_1/1");
  }
  broker_->Forget("worker_1/1");
  Report(kLast - 1, true, "worker_1/1");
}

// A connection that has ended keeps a port of this machine for a minute.
TEST_F(FailoverTest, StartsNoMoreThanItsRateForAnyone) {
  constexpr int kRequests = 2 * static_cast<int>(ipc::kConnectsStarted.burst);
  int started = 0;
  int refused = 0;
  const auto flood = [&] {
    const int asked = started + refused + kRequests;
    for (int i = 0; i < kRequests; ++i) {
      broker_->Connect("worker_1", ipc::ConnectRequest(), [&](const BrokerAnswer& answer) {
        const bool ok = answer.outcome == ipc::OUTCOME_OK;
        EXPECT_TRUE(ok ||
                    (answer.outcome == ipc::OUTCOME_CONNECTION_FAILED && answer.address == 0));
        ++(ok ? started : refused);
      });
    }
    EXPECT_TRUE(RunUntil(*loop_, [&] { return started + refused == asked; }));
  };
  const BootTime start = BootNow();
  flood();
  EXPECT_GE(started, static_cast<int>(ipc::kConnectsStarted.burst));
  broker_->Forget("worker_1");
  flood();
  const std::chrono::duration<double> elapsed = BootNow() - start;
  EXPECT_LE(started,
            ipc::kConnectsStarted.burst + elapsed.count() * ipc::kConnectsStarted.per_second)
      << "its successor has no rate of its own";
  EXPECT_EQ(Connect(0).outcome, ipc::OUTCOME_OK) << "another one has";
}

// A name server that rotates its answers, or that gives out a part of them, changes neither the
// numbers nor the order.
TEST_F(FailoverTest, NumbersAndOrderOutliveALookup) {
  EXPECT_EQ(Reached({}), 1);
  ResolveAgain({3, 1, 2});
  EXPECT_EQ(Reached({}), 1);
  EXPECT_EQ(Reached({1}), 2);
  ResolveAgain({3, 2});
  EXPECT_EQ(Reached({}), 2);
  EXPECT_EQ(Reached({1}), 2) << "1 is gone";
  ResolveAgain({1, 2, 3});
  EXPECT_EQ(Reached({2, 3}), 1) << "and back";
  EXPECT_EQ(Connect(0, {1, 2, 3}).address, 0U);
  EXPECT_EQ(lookups_, 4);
}

// Later lookups find nothing here; what was known serves on.
TEST_F(FailoverTest, KnownAddressesOutliveANameServer) {
  EXPECT_EQ(Reached({}), 1);
  EXPECT_EQ(lookups_, 1);
  ResolveAgain({});
  EXPECT_EQ(Reached({}), 1);
  EXPECT_EQ(lookups_, 2);
}

// The slow answer serves the requests that come after it.
TEST_F(BrokerTest, ALookupOutlivesTheRequestsThatWaitForIt) {
  Listener listener;
  Resolver::Callback answer;
  int lookups = 0;
  broker_ = std::make_unique<Broker>(
      *loop_,
      [&](const std::string&, std::uint16_t, BootTime, Resolver::Callback found) {
        ++lookups;
        answer = std::move(found);
      },
      metrics_, std::vector<BrokerEndpoint>{{"openbao.test", listener.port()}}, milliseconds(50));
  EXPECT_EQ(Connect(0).outcome, ipc::OUTCOME_DNS_FAILED);
  EXPECT_EQ(Connect(0).outcome, ipc::OUTCOME_DNS_FAILED);
  EXPECT_EQ(lookups, 1);
  answer({Loopback(1, listener.port())});
  EXPECT_EQ(Connect(0).outcome, ipc::OUTCOME_OK);
}

TEST_F(FailoverTest, AConnectThatFailsAtOnceSaysWhichAddressItWas) {
  // TCP has no broadcast: connect(2) fails with ENETUNREACH or EACCES.
  const auto unreachable = [](std::uint16_t port) {
    SocketAddress address = Loopback(1, port);
    reinterpret_cast<sockaddr_in*>(&address.storage)->sin_addr.s_addr = INADDR_BROADCAST;
    return address;
  };
  broker_ = std::make_unique<Broker>(
      *loop_,
      [&](const std::string&, std::uint16_t, BootTime, const Resolver::Callback& found) {
        loop_->Post([=] { found({unreachable(1), unreachable(2)}); });
      },
      metrics_, std::vector<BrokerEndpoint>{{"openbao.test", 8200}}, milliseconds(500));
  const BrokerAnswer first = Connect(0);
  EXPECT_EQ(first.outcome, ipc::OUTCOME_CONNECTION_FAILED);
  EXPECT_EQ(first.address, 1U);
  EXPECT_EQ(first.untried, 1U);
  EXPECT_EQ(Connect(0, {1}).address, 2U);
  EXPECT_EQ(Connect(0, {1, 2}).address, 0U);
}

}  // namespace
}  // namespace baokms::supervisor
