#include "common/contract/encoding.h"

#include <array>
#include <cstdint>
#include <numeric>
#include <string>
#include <string_view>
#include <vector>

#include <gtest/gtest.h>

#include "tests/contract/vectors.h"

namespace baokms::contract {
namespace {

constexpr std::string_view kStandardAlphabet =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

std::vector<std::uint8_t> BytesUpTo(std::size_t size) {
  std::vector<std::uint8_t> bytes(size);
  std::iota(bytes.begin(), bytes.end(), std::uint8_t{250});
  return bytes;
}

std::string TextOf(const std::vector<std::uint8_t>& bytes) {
  return {bytes.begin(), bytes.end()};
}

// RFC 4648 section 10.
struct Vector {
  std::string_view plain;
  std::string_view base64;
  std::string_view base64url;
};

constexpr std::array kVectors = {
    Vector{"", "", ""},
    Vector{"f", "Zg==", "Zg"},
    Vector{"fo", "Zm8=", "Zm8"},
    Vector{"foo", "Zm9v", "Zm9v"},
    Vector{"foob", "Zm9vYg==", "Zm9vYg"},
    Vector{"fooba", "Zm9vYmE=", "Zm9vYmE"},
    Vector{"foobar", "Zm9vYmFy", "Zm9vYmFy"},
    Vector{"\xFB\xFF\xBE", "+/++", "-_--"},
};

TEST(EncodingTest, MatchesThePublishedBase64Vectors) {
  for (const Vector& vector : kVectors) {
    SCOPED_TRACE(vector.base64);
    EXPECT_EQ(EncodeBase64(AsBytes(vector.plain)), vector.base64);
    EXPECT_EQ(EncodeBase64Url(AsBytes(vector.plain)), vector.base64url);
    EXPECT_EQ(TextOf(DecodeBase64(vector.base64).value()), vector.plain);
    EXPECT_EQ(TextOf(DecodeBase64Url(vector.base64url).value()), vector.plain);
  }
}

TEST(EncodingTest, RoundTripsEveryLength) {
  for (std::size_t size = 0; size < 300; ++size) {
    const auto bytes = BytesUpTo(size);
    const std::string text = EncodeBase64(bytes);
    EXPECT_EQ(text.size(), Base64Size(size));
    EXPECT_EQ(DecodeBase64(text).value(), bytes);
    EXPECT_EQ(DecodeBase64Url(EncodeBase64Url(bytes)).value(), bytes);
  }
}

TEST(EncodingTest, AcceptsOnlyTheOneSpellingOfABase64Text) {
  // "Zg==" and "Zm8=" have four and two unused bits; 15 and 3 other spellings set some of them.
  int accepted_one = 0;
  int accepted_two = 0;
  for (const char c : kStandardAlphabet) {
    accepted_one += DecodeBase64(std::string("Z") + c + "==").has_value() ? 1 : 0;
    accepted_two += DecodeBase64(std::string("Zm") + c + "=").has_value() ? 1 : 0;
  }
  EXPECT_EQ(accepted_one, 4);
  EXPECT_EQ(accepted_two, 16);
}

TEST(EncodingTest, RefusesMalformedBase64) {
  for (const std::string_view text :
       {"Z", "Zg", "Zg=", "Zg===", "====", "=g==", "Z===", "Zg==Zg==", "Zm9v\n", " Zm9v", "Zm9 ",
        "Zm\n9", "Zm9-", "Zm9_", "Zm9.", "Z=g=", "Zm9vZg", "\xC3\xA9Zg"}) {
    SCOPED_TRACE(text);
    EXPECT_FALSE(DecodeBase64(text).has_value());
  }
}

TEST(EncodingTest, RefusesMalformedBase64Url) {
  for (const std::string_view text : {"Z", "Zg==", "Zm8=", "Zm9v+", "Zm9/", "Zh", "Zm9", "Zm9vZ"}) {
    SCOPED_TRACE(text);
    EXPECT_FALSE(DecodeBase64Url(text).has_value());
  }
}

TEST(EncodingTest, FillsACallersBufferOrSaysThatItIsTooSmall) {
  const auto bytes = BytesUpTo(50);
  std::vector<std::uint8_t> text(Base64Size(50));
  EXPECT_EQ(EncodeBase64Into(bytes, text).value(), text.size());
  EXPECT_EQ(TextOf(text), EncodeBase64(bytes));
  EXPECT_FALSE(EncodeBase64Into(bytes, std::span(text).first(text.size() - 1)).has_value());

  std::vector<std::uint8_t> decoded(50);
  EXPECT_EQ(DecodeBase64Into(TextOf(text), decoded).value(), 50U);
  EXPECT_EQ(decoded, bytes);
  const auto refused = DecodeBase64Into(TextOf(text), std::span(decoded).first(49));
  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error().code(), ErrorCode::kResourceExhausted);
}

TEST(EncodingTest, HashesAsPublished) {
  // FIPS 180-2 appendix B.1.
  EXPECT_EQ(EncodeBase64(Sha256(AsBytes("abc"))), "ungWv48Bz+pBQUDeXa4iI7ADYaOWF3qctBD/YfIAFa0=");
  EXPECT_EQ(HashText("workload-a"), "aJ87hdnMZbDZpJ86CnErao3FRzUhv5o8bqc5tCvFGyY");
}

TEST(EncodingTest, RecognisesExactlyEncodedDigests) {
  const std::string hash = HashText("workload-a");
  EXPECT_TRUE(IsEncodedDigest(hash));
  EXPECT_FALSE(IsEncodedDigest(hash + "A"));
  EXPECT_FALSE(IsEncodedDigest(""));
  vectors::ForEachTruncation(
      hash, [](std::string_view text) { EXPECT_FALSE(IsEncodedDigest(text)) << text.size(); });
  // 256 bits leave two of the last character unused: of 64 characters 16 are canonical.
  int accepted = 0;
  for (const char c : kStandardAlphabet) {
    accepted += IsEncodedDigest(hash.substr(0, 42) + c) ? 1 : 0;
  }
  EXPECT_EQ(accepted, 16);
}

TEST(EncodingTest, ParsesOnlyCanonicalPositiveDecimals) {
  EXPECT_EQ(ParsePositiveDecimal("1").value(), 1);
  EXPECT_EQ(ParsePositiveDecimal("1024").value(), 1024);
  EXPECT_EQ(ParsePositiveDecimal("9223372036854775807").value(), INT64_MAX);
  for (const std::string_view text : {"", "0", "-1", "+3", "03", "3 ", " 3", "3.0", "1e3", "0x1",
                                      "3a", "a", "9223372036854775808", "18446744073709551617"}) {
    SCOPED_TRACE(text);
    EXPECT_FALSE(ParsePositiveDecimal(text).has_value());
  }
  EXPECT_FALSE(ParsePositiveDecimal(std::string_view("3\0", 2)).has_value());
}

}  // namespace
}  // namespace baokms::contract
