#include "ipc/token_message.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "common/base/error.h"
#include "common/base/result.h"
#include "common/base/secret_buffer.h"
#include "ipc/limits.h"

namespace baokms::ipc {
namespace {

SecretBuffer Secret(std::string text) {
  return std::move(
             SecretBuffer::TakeFrom({reinterpret_cast<std::uint8_t*>(text.data()), text.size()}))
      .value();
}

std::vector<std::uint8_t> Encoded(std::uint32_t lease, bool renewable, const std::string& token) {
  TokenMessage message;
  std::ranges::fill(message.request_id, std::uint8_t{0xa5});
  message.lease_seconds = lease;
  message.renewable = renewable;
  message.token = Secret(token);
  const Result<SecretBuffer> body = EncodeToken(message);
  EXPECT_TRUE(body);
  return {body->Reveal().begin(), body->Reveal().end()};
}

TEST(TokenMessageTest, ComesBackAsItWas) {
  std::vector<std::uint8_t> body = Encoded(3'000'000'000U, true, "s.token");
  const Result<TokenMessage> decoded = DecodeToken(body);
  ASSERT_TRUE(decoded);
  EXPECT_EQ(decoded->lease_seconds, 3'000'000'000U);
  EXPECT_TRUE(decoded->renewable);
  EXPECT_EQ(decoded->request_id[15], 0xa5);
  EXPECT_TRUE(decoded->token == Secret("s.token"));
}

TEST(TokenMessageTest, WipesTheTokenFromTheDatagram) {
  std::vector<std::uint8_t> body = Encoded(1, false, "s.token");
  ASSERT_TRUE(DecodeToken(body));
  EXPECT_TRUE(std::all_of(body.begin() + kTokenHeaderSize, body.end(),
                          [](std::uint8_t byte) { return byte == 0; }));
}

TEST(TokenMessageTest, RefusesEveryTruncationBelowAToken) {
  const std::vector<std::uint8_t> whole = Encoded(1, false, "t");
  for (std::size_t size = 0; size < whole.size(); ++size) {
    std::vector<std::uint8_t> cut(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(size));
    EXPECT_FALSE(DecodeToken(cut)) << size;
  }
}

TEST(TokenMessageTest, RefusesWhatIsNeitherYesNorNo) {
  std::vector<std::uint8_t> body = Encoded(1, false, "t");
  for (int flag = 2; flag < 256; ++flag) {
    body[kTokenHeaderSize - 1] = static_cast<std::uint8_t>(flag);
    EXPECT_FALSE(DecodeToken(body)) << flag;
  }
}

TEST(TokenMessageTest, KnowsTheLongestToken) {
  std::vector<std::uint8_t> body = Encoded(1, false, std::string(kMaxToken, 't'));
  EXPECT_TRUE(DecodeToken(body));
  TokenMessage message;
  message.token = Secret(std::string(kMaxToken + 1, 't'));
  EXPECT_FALSE(EncodeToken(message));
  EXPECT_FALSE(EncodeToken(TokenMessage()));
}

}  // namespace
}  // namespace baokms::ipc
