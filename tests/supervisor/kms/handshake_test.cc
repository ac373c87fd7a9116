#include "supervisor/kms/handshake.h"

#include <cstddef>
#include <string>

#include <gtest/gtest.h>

#include "tests/supervisor/kms/test_socket.h"

namespace baokms::supervisor {
namespace {

constexpr std::size_t kPrefaceBytes = 24;

// A greeting whose SETTINGS frame has a payload of `size` bytes.
std::string GreetingWith(std::size_t size) {
  std::string text(kGreeting);
  text[kPrefaceBytes + 1] = static_cast<char>(size >> 8U);
  text[kPrefaceBytes + 2] = static_cast<char>(size & 0xFFU);
  return text + std::string(size, '\0');
}

TEST(HandshakeTest, IsDoneWithTheLastByteOfTheSettings) {
  const std::string text = GreetingWith(18);
  for (std::size_t size = 0; size < text.size(); ++size) {
    EXPECT_EQ(ClassifyHandshake(text.substr(0, size)), Handshake::kPending) << size;
  }
  EXPECT_EQ(ClassifyHandshake(text), Handshake::kDone);
  EXPECT_EQ(ClassifyHandshake(text + "whatever"), Handshake::kDone);
}

TEST(HandshakeTest, EveryWrongByteOfPrefaceAndHeaderIsRefused) {
  for (std::size_t at = 0; at < kGreeting.size(); ++at) {
    std::string text(kGreeting);
    text[at] = static_cast<char>(text[at] ^ 0x40);
    const bool is_length = at >= kPrefaceBytes && at < kPrefaceBytes + 3;
    const bool is_short_length = at == kPrefaceBytes + 2;
    EXPECT_EQ(ClassifyHandshake(text),
              is_length && is_short_length ? Handshake::kPending : Handshake::kRefused)
        << at;
  }
}

TEST(HandshakeTest, SettingsHaveAMaximumSize) {
  EXPECT_EQ(ClassifyHandshake(GreetingWith(kMaxSettingsBytes)), Handshake::kDone);
  EXPECT_EQ(ClassifyHandshake(GreetingWith(kMaxSettingsBytes + 1)), Handshake::kRefused);
}

TEST(HandshakeTest, PeekingTakesNothingFromTheSocket) {
  const TestSocket socket;
  const UniqueFd client = socket.Connect();
  const UniqueFd server(::accept4(socket.listener(), nullptr, nullptr, SOCK_CLOEXEC));
  EXPECT_EQ(PeekHandshake(server.get()), Handshake::kPending);
  const std::string text = GreetingWith(kMaxSettingsBytes);
  TestSocket::Say(client, text.substr(0, 30));
  EXPECT_EQ(PeekHandshake(server.get()), Handshake::kPending);
  TestSocket::Say(client, text.substr(30));
  EXPECT_EQ(PeekHandshake(server.get()), Handshake::kDone) << "over two writes";
  EXPECT_EQ(PeekHandshake(server.get()), Handshake::kDone) << "and again";
}

TEST(HandshakeTest, ASocketWithoutItsPeerIsRefused) {
  const TestSocket socket;
  UniqueFd client = socket.Connect();
  const UniqueFd server(::accept4(socket.listener(), nullptr, nullptr, SOCK_CLOEXEC));
  client.reset();
  EXPECT_EQ(PeekHandshake(server.get()), Handshake::kRefused);
}

}  // namespace
}  // namespace baokms::supervisor
