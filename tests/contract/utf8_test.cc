#include "common/contract/utf8.h"

#include <string>
#include <string_view>

#include <gtest/gtest.h>

namespace baokms::contract {
namespace {

TEST(Utf8Test, AcceptsTheFirstAndLastCodePointOfEachLength) {
  for (const std::string_view text :
       {std::string_view("\0", 1), std::string_view("\x7F"), std::string_view("\xC2\x80"),
        std::string_view("\xDF\xBF"), std::string_view("\xE0\xA0\x80"),
        std::string_view("\xED\x9F\xBF"), std::string_view("\xEE\x80\x80"),
        std::string_view("\xEF\xBF\xBF"), std::string_view("\xF0\x90\x80\x80"),
        std::string_view("\xF4\x8F\xBF\xBF")}) {
    const CodePoint point = DecodeCodePoint(text);
    EXPECT_TRUE(point.valid);
    EXPECT_EQ(point.length, text.size());
    EXPECT_TRUE(IsValidUtf8(text));
  }
}

TEST(Utf8Test, DecodesTheValue) {
  EXPECT_EQ(DecodeCodePoint("é").value, U'é');
  EXPECT_EQ(DecodeCodePoint("中").value, U'中');
  EXPECT_EQ(DecodeCodePoint("\xF0\x9F\x94\x91").value, U'\U0001F511');
}

TEST(Utf8Test, RefusesOverlongFormsSurrogatesAndWhatIsAboveUnicode) {
  for (const std::string_view text :
       {"\xC0\x80", "\xC1\xBF", "\xE0\x80\x80", "\xE0\x9F\xBF", "\xF0\x80\x80\x80",
        "\xF0\x8F\xBF\xBF", "\xED\xA0\x80", "\xED\xBF\xBF", "\xF4\x90\x80\x80", "\xF5\x80\x80\x80",
        "\xF8\x88\x80\x80\x80", "\xFE", "\xFF", "\x80", "\xBF"}) {
    EXPECT_FALSE(IsValidUtf8(text));
    EXPECT_FALSE(DecodeCodePoint(text).valid);
  }
}

TEST(Utf8Test, RefusesEveryTruncationOfASequence) {
  for (const std::string_view text : {"\xC2\x80", "\xE0\xA0\x80", "\xF0\x90\x80\x80"}) {
    for (std::size_t size = 1; size < text.size(); ++size) {
      EXPECT_FALSE(IsValidUtf8(text.substr(0, size)));
      EXPECT_FALSE(IsValidUtf8(std::string(text.substr(0, size)) + "a"));
    }
  }
}

TEST(Utf8Test, TakesAnInvalidByteAlone) {
  const CodePoint point = DecodeCodePoint("\xE0\x80\x80");
  EXPECT_EQ(point.length, 1U);
  EXPECT_EQ(point.value, U'\uFFFD');
}

}  // namespace
}  // namespace baokms::contract
