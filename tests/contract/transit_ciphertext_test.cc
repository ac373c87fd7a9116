#include "common/contract/transit_ciphertext.h"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include <gtest/gtest.h>

#include "common/contract/encoding.h"
#include "common/contract/limits.h"
#include "tests/contract/vectors.h"

namespace baokms::contract {
namespace {

// What Transit makes of `plaintext_bytes` bytes.
std::string Ciphertext(std::string_view version, std::size_t plaintext_bytes) {
  const std::vector<std::uint8_t> sealed(kGcmNonceBytes + plaintext_bytes + kGcmTagBytes, 0xA5);
  return std::string("vault:v").append(version).append(":").append(EncodeBase64(sealed));
}

TEST(TransitCiphertextTest, ReadsTheVersion) {
  EXPECT_EQ(ParseCiphertextVersion(Ciphertext("3", 32)).value(), 3);
  EXPECT_EQ(ParseCiphertextVersion(Ciphertext("1024", 1)).value(), 1024);
  EXPECT_EQ(CheckCiphertext(Ciphertext("3", 32), 3), RequestVerdict::kAccepted);
}

TEST(TransitCiphertextTest, ReportsAnotherVersionAsMismatch) {
  EXPECT_EQ(CheckCiphertext(Ciphertext("3", 32), 4), RequestVerdict::kMismatch);
  EXPECT_EQ(CheckCiphertext(Ciphertext("33", 32), 3), RequestVerdict::kMismatch);
}

TEST(TransitCiphertextTest, ReportsOtherFormsAsMismatch) {
  const std::string good = Ciphertext("3", 33);
  ASSERT_TRUE(good.ends_with("=="));
  const std::string payload = good.substr(9);
  for (const std::string& text :
       {std::string(), std::string("vault:v3:"), "vault:v" + payload, "vault:v:" + payload,
        "vault:v03:" + payload, "vault:v+3:" + payload, "vault:v0:" + payload,
        "vault:v-3:" + payload, "vault:3:" + payload, "Vault:v3:" + payload, "bao:v3:" + payload,
        " " + good, good + "\n", good + "A", "vault:v3::" + payload,
        "vault:v3:" + payload.substr(0, 8) + "\n" + payload.substr(8),
        good.substr(0, good.size() - 2), Ciphertext("3", 0)}) {
    SCOPED_TRACE(text);
    EXPECT_EQ(CheckCiphertext(text, 3), RequestVerdict::kMismatch);
  }
}

// OpenBao ignores the unused bits, so this spelling would decrypt there.
TEST(TransitCiphertextTest, RefusesAnotherSpellingOfTheSameBytes) {
  std::string text = Ciphertext("3", 33);
  const std::size_t last = text.size() - 3;
  ASSERT_EQ(CheckCiphertext(text, 3), RequestVerdict::kAccepted);
  text[last] = static_cast<char>(text[last] + 1);
  EXPECT_EQ(CheckCiphertext(text, 3), RequestVerdict::kMismatch);
}

// What is left over after a flip is another, well-formed ciphertext, for OpenBao's tag check.
TEST(TransitCiphertextTest, TakesNoBitFlipOfTheHead) {
  const std::string good = Ciphertext("3", 32);
  vectors::ForEachBitFlip(good, [](std::string_view flipped, std::size_t bit) {
    if (bit < 8 * 9) {
      EXPECT_EQ(CheckCiphertext(flipped, 3), RequestVerdict::kMismatch) << bit;
    } else if (CheckCiphertext(flipped, 3) == RequestVerdict::kAccepted) {
      const std::string_view payload = flipped.substr(9);
      EXPECT_EQ(EncodeBase64(DecodeBase64(payload).value()), payload) << bit;
    }
  });
}

TEST(TransitCiphertextTest, FindsTheLongestPlaintextThatFits) {
  EXPECT_EQ(MaxPlaintextBytes(1), 731U);
  EXPECT_EQ(MaxPlaintextBytes(9), 731U);
  for (const std::int64_t version : {std::int64_t{1}, std::int64_t{10}, std::int64_t{100},
                                     std::int64_t{1000}, std::int64_t{123456}, INT64_MAX}) {
    const std::size_t most = MaxPlaintextBytes(version);
    const std::string text = std::to_string(version);
    EXPECT_LE(Ciphertext(text, most).size(), kMaxCiphertextBytes) << version;
    EXPECT_GT(Ciphertext(text, most + 1).size(), kMaxCiphertextBytes) << version;
    EXPECT_EQ(CheckCiphertext(Ciphertext(text, most), version), RequestVerdict::kAccepted)
        << version;
    EXPECT_EQ(CheckCiphertext(Ciphertext(text, most + 1), version), RequestVerdict::kLimit)
        << version;
  }
}

}  // namespace
}  // namespace baokms::contract
