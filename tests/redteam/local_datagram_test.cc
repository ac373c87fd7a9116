// A process that may only make pairs of connected sockets tries to send to a datagram socket in the
// file system, for example to that of another service.

#include <sys/socket.h>
#include <sys/un.h>
#include <seccomp.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <string>

#include <gtest/gtest.h>

#include "common/base/unique_fd.h"
#include "ipc/channel.h"
#include "tests/redteam/roles.h"

namespace baokms {
namespace {

class Receiver final {
 public:
  Receiver() {
    std::string folder = "/tmp/redteam_XXXXXX";
    EXPECT_NE(::mkdtemp(folder.data()), nullptr);
    folder_ = folder;
    address_.sun_family = AF_UNIX;
    const std::string path = folder_ / "socket";
    std::memcpy(address_.sun_path, path.c_str(), path.size() + 1);
    const auto* name = reinterpret_cast<const sockaddr*>(&address_);
    EXPECT_EQ(::bind(socket_.get(), name, sizeof address_), 0);
  }

  Receiver(const Receiver&) = delete;
  Receiver& operator=(const Receiver&) = delete;

  ~Receiver() { std::filesystem::remove_all(folder_); }

  [[nodiscard]] const sockaddr_un& address() const { return address_; }

  // Whether something was sent since the last time.
  [[nodiscard]] bool WasReached() const {
    std::array<char, 8> text{};
    return ::recv(socket_.get(), text.data(), text.size(), MSG_DONTWAIT) > 0;
  }

 private:
  UniqueFd socket_{::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0)};
  std::filesystem::path folder_;
  sockaddr_un address_{};
};

int SendBy(int socket, const sockaddr_un& address) {
  const auto* target = reinterpret_cast<const sockaddr*>(&address);
  return ::sendto(socket, "x", 1, MSG_NOSIGNAL, target, sizeof address) == 1 ? 0 : errno;
}

int SendByPair(const sockaddr_un& address) {
  std::array<int, 2> ends{};
  return ::socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, ends.data()) == 0
             ? SendBy(ends[0], address)
             : errno;
}

int SendBySocket(const sockaddr_un& address) {
  const UniqueFd socket(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  return socket.valid() ? SendBy(socket.get(), address) : errno;
}

using LocalDatagramTest = RedTeamTest;

TEST_P(LocalDatagramTest, PairReachesNoOtherSocket) {
  const Receiver receiver;
  const auto attack = [&] {
    return SendByPair(receiver.address());
  };
  EXPECT_EQ(Describe(RunFree(attack)), "did it");
  EXPECT_TRUE(receiver.WasReached()) << "outside the filter, the attack has to work";
  ExpectRefusedCall(RunConfined(GetParam().enter, attack), SCMP_SYS(socketpair));
  EXPECT_FALSE(receiver.WasReached());
}

TEST_P(LocalDatagramTest, SocketIsNotMade) {
  const Receiver receiver;
  const auto attack = [&] {
    return SendBySocket(receiver.address());
  };
  EXPECT_EQ(Describe(RunFree(attack)), "did it");
  EXPECT_TRUE(receiver.WasReached()) << "outside the filter, the attack has to work";
  EXPECT_NE(Describe(RunConfined(GetParam().enter, attack)), "did it");
  EXPECT_FALSE(receiver.WasReached());
}

INSTANTIATE_TEST_SUITE_P(InEachRole, LocalDatagramTest, testing::ValuesIn(AllRoles()), NameOfRole);

// A filter cannot see the address in the structure of sendmsg(2). This is why it need not.
TEST(ChannelTest, SendsNothingToTheAddressOfAMessage) {
  const Receiver receiver;
  const ipc::ChannelPair pair = ipc::MakeChannelPair().value();
  sockaddr_un address = receiver.address();
  std::array<char, 1> text = {'x'};
  iovec part{text.data(), text.size()};
  msghdr header{};
  header.msg_name = &address;
  header.msg_namelen = sizeof address;
  header.msg_iov = &part;
  header.msg_iovlen = 1;
  EXPECT_EQ(::sendmsg(pair.first.get(), &header, MSG_NOSIGNAL), 1);
  EXPECT_EQ(::recv(pair.second.get(), text.data(), text.size(), MSG_DONTWAIT), 1);
  EXPECT_FALSE(receiver.WasReached());
}

}  // namespace
}  // namespace baokms
