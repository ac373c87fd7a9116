#include "common/contract/go_json.h"

#include <array>
#include <string>
#include <string_view>
#include <utility>

#include <gtest/gtest.h>

namespace baokms::contract {
namespace {

struct Row {
  std::string_view name;
  std::string_view text;
  std::string_view json;
};

constexpr std::array kRows = {
    Row{"plain", "abc /", R"("abc /")"},
    Row{"empty", "", R"("")"},
    Row{"quote and backslash", R"("\)", R"("\"\\")"},
    Row{"short escapes", "\n\r\t\b\f", R"("\n\r\t\b\f")"},
    Row{"other control characters", std::string_view("\0\x01\x0b\x1f", 4),
        R"("\u0000\u0001\u000b\u001f")"},
    Row{"delete is not escaped", "\x7F", "\"\x7F\""},
    Row{"HTML", "<a>&b", R"("\u003ca\u003e\u0026b")"},
    Row{"line separators", "a\u2028b\u2029c", R"("a\u2028b\u2029c")"},
    Row{"their neighbours are not escaped", "\u2027\u202A", "\"\u2027\u202A\""},
    Row{"non-ASCII", "é中\U0001F511", "\"é中\U0001F511\""},
    Row{"a real replacement character", "\uFFFD", "\"\uFFFD\""},
    Row{"each invalid byte", "a\xFF\xC0\x80z", R"("a\ufffd\ufffd\ufffdz")"},
    Row{"a surrogate is three invalid bytes", "\xED\xA0\x80", R"("\ufffd\ufffd\ufffd")"},
    Row{"a cut sequence", "\xE4\xB8", R"("\ufffd\ufffd")"},
};

TEST(GoJsonTest, EscapesStringsAsGoDoes) {
  for (const Row& row : kRows) {
    SCOPED_TRACE(row.name);
    EXPECT_EQ(GoJsonString(row.text), row.json);
  }
}

std::string Write(GoJsonWriter::Style style) {
  GoJsonWriter json(style);
  json.BeginObject();
  json.Text("z", "<");
  json.TextUnlessEmpty("absent", "");
  json.NumberUnlessZero("zero", 0);
  json.Number("a", UINT64_MAX);
  json.NumberUnlessZero("n", INT64_MAX);
  json.BeginArray("list");
  json.BeginObject();
  json.TextUnlessEmpty("b", "2");
  json.EndObject();
  json.BeginObject();
  json.EndObject();
  json.EndArray();
  json.BeginArray("empty");
  json.EndArray();
  json.EndObject();
  return std::move(json).Take();
}

TEST(GoJsonTest, WritesCompactMembersInTheOrderGiven) {
  EXPECT_EQ(Write(GoJsonWriter::Style::kCompact),
            R"({"z":"\u003c","a":18446744073709551615,"n":9223372036854775807,)"
            R"("list":[{"b":"2"},{}],"empty":[]})");
}

TEST(GoJsonTest, IndentsByTwoSpaces) {
  EXPECT_EQ(Write(GoJsonWriter::Style::kIndented),
            "{\n"
            "  \"z\": \"\\u003c\",\n"
            "  \"a\": 18446744073709551615,\n"
            "  \"n\": 9223372036854775807,\n"
            "  \"list\": [\n"
            "    {\n"
            "      \"b\": \"2\"\n"
            "    },\n"
            "    {}\n"
            "  ],\n"
            "  \"empty\": []\n"
            "}");
}

}  // namespace
}  // namespace baokms::contract
