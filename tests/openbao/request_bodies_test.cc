#include "common/openbao/request_bodies.h"

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <gtest/gtest.h>

#include "common/openbao/http_limits.h"

namespace baokms::openbao {
namespace {

std::span<const std::uint8_t> Bytes(std::string_view text) {
  return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}

Result<WipedBuffer> BuildJwtLogin(std::string_view role, std::string_view jwt) {
  return BuildObject(std::array{BodyMember{"role", role}, BodyMember{"jwt", jwt, kMaxJwtBytes}});
}

TEST(RequestBodiesTest, WritesTheDocumentedMembers) {
  EXPECT_EQ(BuildEncrypt(3, Bytes("hello"), "e30=")->text(),
            R"({"plaintext":"aGVsbG8=","associated_data":"e30=","key_version":3})");
  EXPECT_EQ(BuildDecrypt("vault:v3:AAAA", "e30=")->text(),
            R"({"ciphertext":"vault:v3:AAAA","associated_data":"e30="})");
  EXPECT_EQ(BuildJwtLogin("role", "a.b.c")->text(), R"({"role":"role","jwt":"a.b.c"})");
  EXPECT_EQ(BuildObject({})->text(), "{}");
  EXPECT_EQ(BuildRenewal(3600)->text(), R"({"increment":"3600s"})");
}

TEST(RequestBodiesTest, EscapesWhatWouldEndAString) {
  EXPECT_EQ(BuildJwtLogin("a\"b\\c\n\x01/<\xC3\xA4", "j")->text(),
            "{\"role\":\"a\\\"b\\\\c\\u000a\\u0001/<\xC3\xA4\",\"jwt\":\"j\"}");
}

TEST(RequestBodiesTest, RefusesWhatTheContractGuards) {
  EXPECT_FALSE(BuildEncrypt(0, Bytes("x"), "e30=").has_value());
  EXPECT_FALSE(BuildEncrypt(-1, Bytes("x"), "e30=").has_value());
  EXPECT_FALSE(BuildEncrypt(1, {}, "e30=").has_value());
  EXPECT_FALSE(BuildEncrypt(1, Bytes("x"), "").has_value());
  EXPECT_FALSE(BuildDecrypt("", "e30=").has_value());
  EXPECT_FALSE(BuildDecrypt("c", "").has_value());
  EXPECT_FALSE(BuildDecrypt("vault:v1:\xff", "e30=").has_value());
  EXPECT_FALSE(BuildJwtLogin("", "j").has_value());
  EXPECT_FALSE(BuildJwtLogin("r", "").has_value());
  EXPECT_FALSE(BuildRenewal(0).has_value());
}

TEST(RequestBodiesTest, TakesEachFieldUpToItsMaximum) {
  const std::string most(kMaxRequestFieldBytes, 'x');
  const std::string more = most + "x";
  EXPECT_TRUE(BuildEncrypt(1, Bytes(most), "e30=").has_value());
  EXPECT_FALSE(BuildEncrypt(1, Bytes(more), "e30=").has_value());
  EXPECT_TRUE(BuildDecrypt(most, most).has_value());
  EXPECT_FALSE(BuildDecrypt(more, most).has_value());
  EXPECT_FALSE(BuildDecrypt(most, more).has_value());
  EXPECT_TRUE(BuildJwtLogin(most, std::string(kMaxJwtBytes, 'j')).has_value());
  EXPECT_FALSE(BuildJwtLogin(more, "j").has_value());
  EXPECT_FALSE(BuildJwtLogin("r", std::string(kMaxJwtBytes + 1, 'j')).has_value());
  EXPECT_TRUE(BuildRenewal(kMaxLeaseSeconds).has_value());
  EXPECT_FALSE(BuildRenewal(kMaxLeaseSeconds + 1).has_value());
}

TEST(RequestBodiesTest, EncodesEverythingButPlainPathCharacters) {
  EXPECT_EQ(EncodePath("Az09/-._~"), "Az09/-._~");
  EXPECT_EQ(EncodePath("a b?c#d%e\xC3\xA4"), "a%20b%3Fc%23d%25e%C3%A4");
}

}  // namespace
}  // namespace baokms::openbao
