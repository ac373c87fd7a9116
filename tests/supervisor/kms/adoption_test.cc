// Which thread serves a new connection.

#include <sys/socket.h>
#include <poll.h>

#include <array>
#include <atomic>
#include <future>

#include <gtest/gtest.h>

#include "common/base/unique_fd.h"
#include "supervisor/kms/server.h"
#include "tests/supervisor/kms/fakes.h"
#include "tests/supervisor/kms/test_socket.h"

namespace baokms::supervisor {
namespace {

// Returns whether the server has sent something; a new connection's first words are its settings.
bool Hears(const UniqueFd& client, int timeout_ms) {
  pollfd readable{client.get(), POLLIN, 0};
  return ::poll(&readable, 1, timeout_ms) == 1;
}

// gRPC processes what a client sends on the thread that gives it the connection, for as long as the
// client goes on. The loop's thread, which watches for floods, must not be kept that way.
TEST(AdoptionTest, TheLoopsThreadServesNoConnection) {
  FakeWorld world;
  std::promise<void> held;
  std::promise<void> go_on;
  std::atomic<bool> hold{true};
  const auto server = KmsServer::Start(*world.loop, world.service, [&] {
                        if (hold.exchange(false)) {
                          held.set_value();
                          go_on.get_future().wait();
                        }
                      }).value();
  held.get_future().wait();  // nobody serves gRPC's completion queue now

  std::array<int, 2> ends{};
  ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends.data()), 0);
  const UniqueFd client(ends[0]);
  TestSocket::Say(client, kGreeting);
  world.loop->Post([&, connection = ends[1]] {
    EXPECT_NE(server->Adopt(UniqueFd(connection)), nullptr);
    world.loop->Stop();
  });
  EXPECT_TRUE(world.loop->Run().has_value());

  EXPECT_FALSE(Hears(client, 100));
  go_on.set_value();
  EXPECT_TRUE(Hears(client, 10'000));
}

}  // namespace
}  // namespace baokms::supervisor
