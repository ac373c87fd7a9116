// A process that may not connect a socket tries to have one connected by sending with it.

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <fcntl.h>
#include <seccomp.h>

#include <array>
#include <cerrno>
#include <fstream>

#include <gtest/gtest.h>

#include "common/base/unique_fd.h"
#include "tests/redteam/roles.h"

namespace baokms {
namespace {

UniqueFd NewSocket(int flags = 0) {
  UniqueFd socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | flags, 0));
  EXPECT_TRUE(socket.valid());
  return socket;
}

int ConnectTo(const UniqueFd& socket, const sockaddr_in& address) {
  const auto* target = reinterpret_cast<const sockaddr*>(&address);
  return ::connect(socket.get(), target, sizeof address) == 0 ? 0 : errno;
}

// Listens on a port of this machine that no endpoint names.
class Listener final {
 public:
  explicit Listener(int backlog = 16) : socket_(NewSocket()) {
    address_.sin_family = AF_INET;
    address_.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address_;
    auto* name = reinterpret_cast<sockaddr*>(&address_);
    EXPECT_EQ(::bind(socket_.get(), name, size), 0);
    EXPECT_EQ(::listen(socket_.get(), backlog), 0);
    EXPECT_EQ(::getsockname(socket_.get(), name, &size), 0);
  }

  [[nodiscard]] const sockaddr_in& address() const { return address_; }

  // Whether somebody has connected since the last time. A connection of our own is made behind it
  // and shows that there was no other.
  [[nodiscard]] bool WasReached() const {
    const UniqueFd marker = NewSocket();
    EXPECT_EQ(ConnectTo(marker, address_), 0);
    sockaddr_in own{};
    socklen_t size = sizeof own;
    EXPECT_EQ(::getsockname(marker.get(), reinterpret_cast<sockaddr*>(&own), &size), 0);
    bool reached = false;
    for (;;) {
      sockaddr_in peer{};
      size = sizeof peer;
      const UniqueFd connection(::accept(socket_.get(), reinterpret_cast<sockaddr*>(&peer), &size));
      EXPECT_TRUE(connection.valid());
      if (peer.sin_port == own.sin_port) {
        return reached;
      }
      reached = true;
    }
  }

 private:
  UniqueFd socket_;
  sockaddr_in address_{};
};

// As a socket of the broker is when it is handed over: connect(2) was called, and the server does
// not answer yet, because its queue is full.
class ConnectingSocket final {
 public:
  ConnectingSocket() {
    EXPECT_EQ(ConnectTo(first_, busy_.address()), 0);
    EXPECT_EQ(ConnectTo(socket_, busy_.address()), EINPROGRESS);
  }

  [[nodiscard]] int get() const { return socket_.get(); }

 private:
  Listener busy_{0};
  UniqueFd first_ = NewSocket();
  UniqueFd socket_ = NewSocket(SOCK_NONBLOCK);
};

int SendTo(int socket, const sockaddr_in& address, int flags) {
  const ssize_t sent = ::sendto(socket, "x", 1, flags | MSG_NOSIGNAL,
                                reinterpret_cast<const sockaddr*>(&address), sizeof address);
  return sent == 1 || errno == EINPROGRESS ? 0 : errno;
}

int SendMessageTo(int socket, sockaddr_in address, int flags) {
  std::array<char, 1> text = {'x'};
  iovec part{text.data(), text.size()};
  msghdr header{};
  header.msg_name = &address;
  header.msg_namelen = sizeof address;
  header.msg_iov = &part;
  header.msg_iovlen = 1;
  const ssize_t sent = ::sendmsg(socket, &header, flags | MSG_NOSIGNAL);
  return sent == 1 || errno == EINPROGRESS ? 0 : errno;
}

bool KernelHasFastOpen() {
  int mode = 0;
  std::ifstream("/proc/sys/net/ipv4/tcp_fastopen") >> mode;
  return (mode & 1) != 0;
}

class ConnectingElsewhereTest : public RedTeamTest {
 protected:
  void SetUp() override {
    if (!KernelHasFastOpen()) {
      GTEST_SKIP() << "net.ipv4.tcp_fastopen is off, so the attack cannot work here";
    }
  }

  // `attack` gets a socket of its own for each try.
  template <typename Socket, typename Attack>
  void ExpectUnreached(const Socket& outside, const Socket& inside, Attack attack, int syscall) {
    EXPECT_EQ(Describe(RunFree([&] { return attack(outside.get()); })), "did it");
    EXPECT_TRUE(listener_.WasReached()) << "outside the filter, the attack has to work";
    ExpectRefusedCall(RunConfined(GetParam().enter, [&] { return attack(inside.get()); }), syscall);
    EXPECT_FALSE(listener_.WasReached());
  }

  Listener listener_;
};

TEST_P(ConnectingElsewhereTest, SendToConnectsNoSocket) {
  const auto attack = [&](int socket) {
    return SendTo(socket, listener_.address(), MSG_FASTOPEN);
  };
  ExpectUnreached(NewSocket(), NewSocket(), attack, SCMP_SYS(sendto));
}

TEST_P(ConnectingElsewhereTest, SendMsgConnectsNoSocket) {
  const auto attack = [&](int socket) {
    return SendMessageTo(socket, listener_.address(), MSG_FASTOPEN);
  };
  ExpectUnreached(NewSocket(), NewSocket(), attack, SCMP_SYS(sendmsg));
}

TEST_P(ConnectingElsewhereTest, ConnectingSocketIsNotTurnedElsewhere) {
  const auto attack = [&](int socket) {
    const int error = ::shutdown(socket, SHUT_RDWR) == 0 ? 0 : errno;
    return error != 0 ? error : SendTo(socket, listener_.address(), MSG_FASTOPEN);
  };
  ExpectUnreached(ConnectingSocket(), ConnectingSocket(), attack,
                  GetParam().ends_on_refusal ? SCMP_SYS(shutdown) : SCMP_SYS(sendto));
}

TEST_P(ConnectingElsewhereTest, NoAddressIsGivenToSendTo) {
  const UniqueFd socket = NewSocket();
  ASSERT_EQ(ConnectTo(socket, listener_.address()), 0);
  ExpectRefused([&] { return SendTo(socket.get(), listener_.address(), 0); }, SCMP_SYS(sendto));
}

TEST_P(ConnectingElsewhereTest, NoSocketIsMadeToConnectWhenItSends) {
  const UniqueFd socket = NewSocket();
  const auto attack = [&] {
    const int on = 1;
    return ::setsockopt(socket.get(), IPPROTO_TCP, TCP_FASTOPEN_CONNECT, &on, sizeof on) == 0
               ? 0
               : errno;
  };
  ExpectRefused(attack, SCMP_SYS(setsockopt));
}

INSTANTIATE_TEST_SUITE_P(InEachRole,
                         ConnectingElsewhereTest,
                         testing::ValuesIn(AllRoles()),
                         NameOfRole);

// A filter cannot see the address in the structure of sendmsg(2). This is why it need not.
TEST(StreamSocketTest, ConnectsToNoAddressOfAMessageWithoutFastOpen) {
  const Listener listener;
  const UniqueFd socket = NewSocket();
  EXPECT_EQ(SendMessageTo(socket.get(), listener.address(), 0), EPIPE);
  EXPECT_FALSE(listener.WasReached());
}

}  // namespace
}  // namespace baokms
