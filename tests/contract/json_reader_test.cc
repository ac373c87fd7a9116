#include "common/contract/json_reader.h"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include <gtest/gtest.h>

#include "common/base/error.h"
#include "common/base/result.h"

namespace baokms::contract {
namespace {

constexpr std::size_t kLong = 1'000'000;
constexpr std::size_t kMany = 100;

Status Read(std::string_view text,
            const std::vector<JsonMember>& members,
            UnknownMembers unknown = UnknownMembers::kSkipped) {
  return ReadJson(text, {kLong, kMany, unknown}, members);
}

bool Reads(std::string_view text, const std::vector<JsonMember>& members = {}) {
  return Read(text, members).has_value();
}

TEST(JsonReaderTest, ReadsEachTypeIntoItsTarget) {
  std::string text;
  std::int64_t integer = 0;
  std::uint64_t number = 0;
  std::optional<std::int64_t> optional;
  bool flag = false;
  const std::vector<JsonMember> members = {{"text", &text},
                                           {"integer", &integer},
                                           {"number", &number},
                                           {"optional", &optional},
                                           {"flag", &flag}};
  EXPECT_TRUE(Reads(R"( {"text":"\u00e9","integer":-5,"number":18446744073709551615,)"
                    R"("optional":7,"flag":true,"more":[null,{"text":1}]} )",
                    members));
  EXPECT_EQ(text, "é");
  EXPECT_EQ(integer, -5);
  EXPECT_EQ(number, UINT64_MAX);
  EXPECT_EQ(optional, 7);
  EXPECT_TRUE(flag);
}

TEST(JsonReaderTest, RefusesAValueOfAnotherType) {
  std::string text;
  std::int64_t integer = 0;
  std::uint64_t number = 0;
  bool flag = false;
  for (const char* value : {"1", "true", "null", "[]", "{}", "1.5", R"(["x"])"}) {
    EXPECT_FALSE(Reads(R"({"a":)" + std::string(value) + "}", {{"a", &text}})) << value;
  }
  for (const char* value : {R"("1")", "true", "null", "[1]", "{}", "1.0", "1e0",
                            "9223372036854775808", "-9223372036854775809"}) {
    EXPECT_FALSE(Reads(R"({"a":)" + std::string(value) + "}", {{"a", &integer}})) << value;
  }
  for (const char* value : {"-1", "-0", "1.0", R"("1")", "18446744073709551616"}) {
    EXPECT_FALSE(Reads(R"({"a":)" + std::string(value) + "}", {{"a", &number}})) << value;
  }
  for (const char* value : {"1", R"("true")", "null", "[true]"}) {
    EXPECT_FALSE(Reads(R"({"a":)" + std::string(value) + "}", {{"a", &flag}})) << value;
  }
}

TEST(JsonReaderTest, PresenceSaysWhatMayBeMissing) {
  std::string a = "kept";
  std::string b = "kept";
  const std::vector<JsonMember> members = {{"a", &a, Presence::kOptional},
                                           {"b", &b, Presence::kOmittedWhenEmpty}};
  EXPECT_TRUE(Reads("{}", members));
  EXPECT_TRUE(Reads(R"({"a":null})", members));
  EXPECT_EQ(a + b, "keptkept");
  EXPECT_TRUE(Reads(R"({"a":""})", members));
  EXPECT_FALSE(Reads(R"({"b":""})", members));
  EXPECT_FALSE(Reads(R"({"b":null})", members));
  std::uint64_t number = 0;
  EXPECT_FALSE(Reads(R"({"n":0})", {{"n", &number, Presence::kOmittedWhenEmpty}}));
  const Status missing = Read(R"({"a":"read"})", {{"a", &a}, {"b", &b}});
  ASSERT_FALSE(missing.has_value());
  EXPECT_EQ(missing.error().code(), ErrorCode::kFailedPrecondition);
  EXPECT_EQ(a, "read") << "what exists is read all the same";
}

TEST(JsonReaderTest, ReadsNestedObjects) {
  std::string text;
  const std::vector<JsonMember> inner = {{"text", &text}};
  const std::vector<JsonMember> members = {{"data", inner}};
  EXPECT_TRUE(Reads(R"({"text":1,"data":{"data":{"text":2},"text":"x"}})", members));
  EXPECT_EQ(text, "x");
  for (const char* value : {"null", "[]", R"([{"text":"x"}])", "1", "{}", R"({"text":null})"}) {
    EXPECT_FALSE(Reads(R"({"data":)" + std::string(value) + "}", members)) << value;
  }
}

TEST(JsonReaderTest, ReadsAnArrayOfObjects) {
  struct Item {
    std::string text;
    std::optional<std::int64_t> number;
  };

  std::vector<Item> items;
  const std::vector<JsonMember> members = {
      {"items",
       JsonObjects{3, [&items]() -> std::vector<JsonMember> {
                     Item& item = items.emplace_back();
                     return {{"text", &item.text}, {"number", &item.number, Presence::kOptional}};
                   }}}};
  EXPECT_TRUE(
      Reads(R"({"items":[{"text":"a"},{"number":2,"text":"b","x":[{}]},{"text":"c"}]})", members));
  ASSERT_EQ(items.size(), 3U);
  EXPECT_EQ(items[0].text + items[1].text + items[2].text, "abc");
  EXPECT_EQ(items[1].number, 2);
  EXPECT_TRUE(Reads(R"({"items":[]})", members));
  for (const char* value : {R"([{"text":"a"},{"text":"b"},{"text":"c"},{"text":"d"}])", R"([1])",
                            R"(["a"])", "[null]", R"([[{"text":"a"}]])", R"({"text":"a"})",
                            R"([{}])", R"([{"text":1}])", R"([{"text":"a","text":"a"}])"}) {
    EXPECT_FALSE(Reads(R"({"items":)" + std::string(value) + "}", members)) << value;
  }
}

TEST(JsonReaderTest, HandsListsAndMapsToTheirFunctions) {
  std::string texts;
  std::string numbers;
  const std::vector<JsonMember> members = {
      {"texts", JsonTexts{[&](std::string& text) {
         texts += text;
       }}},
      {"numbers", JsonIntegers{[&](std::string_view name, std::int64_t value) {
         numbers += std::string(name) + std::to_string(value);
         return name != "bad";
       }}}};
  EXPECT_TRUE(Reads(R"({"texts":["a",1,["x"],{"y":"z"},"b"],"numbers":{"a":1,"b":-2}})", members));
  EXPECT_EQ(texts, "ab");
  EXPECT_EQ(numbers, "a1b-2");
  for (const char* value : {R"({"bad":1})", R"({"a":"1"})", R"({"a":1.5})", R"({"a":null})",
                            R"({"a":{}})", R"({"a":[]})", R"({"a":1,"a":1})", "[1]"}) {
    EXPECT_FALSE(Reads(R"({"texts":[],"numbers":)" + std::string(value) + "}", members)) << value;
  }
  EXPECT_FALSE(Reads(R"({"texts":"a","numbers":{}})", members));
}

TEST(JsonReaderTest, AnyTellsTheTypesApart) {
  const auto any = [](const std::string& value) {
    JsonAny target;
    EXPECT_TRUE(Reads(R"({"a":)" + value + "}", {{"a", &target}})) << value;
    return target;
  };
  EXPECT_EQ(std::get<std::string>(any(R"("x")")), "x");
  EXPECT_EQ(std::get<double>(any("-2")), -2);
  EXPECT_EQ(std::get<double>(any("18446744073709551616")), 18446744073709551616.0);
  EXPECT_EQ(std::get<double>(any("1.5")), 1.5);
  EXPECT_TRUE(std::holds_alternative<JsonNull>(any("null")));
  using Texts = std::vector<std::string>;
  EXPECT_EQ(std::get<Texts>(any("[]")), Texts{});
  EXPECT_EQ(std::get<Texts>(any(R"(["a","b"])")), (Texts{"a", "b"}));
  for (const char* value : {"true", "{}", R"(["a",1])", R"([1,"a"])", R"([["a"]])", "[null]",
                            R"([{}])", R"(["a",{"b":["c"]},"d"])"}) {
    EXPECT_TRUE(std::holds_alternative<JsonOther>(any(value))) << value;
  }
  JsonAny absent;
  EXPECT_TRUE(Reads(R"({"b":1})", {{"a", &absent}}));
  EXPECT_TRUE(std::holds_alternative<std::monostate>(absent));
}

TEST(JsonReaderTest, RefusesUnknownMembersWhereItIsToldTo) {
  std::string text;
  const std::vector<JsonMember> inner = {{"text", &text}};
  const auto reads = [&](std::string_view document) {
    return Read(document, {{"data", inner}}, UnknownMembers::kRefused).has_value();
  };
  EXPECT_TRUE(reads(R"({"data":{"text":"x"}})"));
  EXPECT_FALSE(reads(R"({"data":{"text":"x"},"more":1})"));
  EXPECT_FALSE(reads(R"({"data":{"text":"x","more":1}})"));
}

TEST(JsonReaderTest, RefusesADuplicateAtAnyDepth) {
  for (const std::string_view text :
       {R"({"a":1,"a":1})", R"({"a":1,"\u0061":1})", R"({"x":[{"y":{"a":1,"a":1}}]})"}) {
    EXPECT_FALSE(Reads(text)) << text;
  }
  EXPECT_TRUE(Reads(R"({"a":{"a":1},"b":{"a":1}})"));
}

TEST(JsonReaderTest, RefusesWhatIsNotOneStrictObject) {
  for (const std::string_view text : {"",
                                      " ",
                                      "null",
                                      "1",
                                      "\"x\"",
                                      "[]",
                                      "[{}]",
                                      "{",
                                      "{}{}",
                                      "{}x",
                                      "{},",
                                      "{} //",
                                      "/**/{}",
                                      R"({"a":1,})",
                                      R"({"a":01})",
                                      R"({"a":+1})",
                                      R"({'a':1})",
                                      "{a:1}",
                                      R"({"a":NaN})",
                                      "{\"a\":\"\t\"}",
                                      R"({"a":"\x"})",
                                      R"({"a":"\ud800"})",
                                      "{\"a\":\"\xFF\"}",
                                      "\xEF\xBB\xBF{}",
                                      "{}\v"}) {
    SCOPED_TRACE(text);
    EXPECT_FALSE(Reads(text));
  }
}

TEST(JsonReaderTest, DoesNotTakeANulForTheEnd) {
  EXPECT_TRUE(Reads("{}"));
  EXPECT_FALSE(Reads(std::string_view("{}\0", 3)));
  EXPECT_FALSE(Reads(std::string_view("{}\0{", 4)));
}

TEST(JsonReaderTest, BoundsSizeDepthAndMembers) {
  std::string wide = R"({"x":{"0":0)";
  for (std::size_t i = 1; i < kMany; ++i) {
    wide += ",\"" + std::to_string(i) + "\":0";
  }
  EXPECT_TRUE(Reads(wide + "}}"));
  EXPECT_FALSE(Reads(wide + R"(,"more":0}})"));
  EXPECT_TRUE(ReadJson("{} ", {3, kMany}, {}).has_value());
  const Status refused = ReadJson("{}  ", {3, kMany}, {});
  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error().code(), ErrorCode::kResourceExhausted);
  const auto nested = [](std::size_t depth) {
    return Reads(R"({"x":)" + std::string(depth, '[') + std::string(depth, ']') + "}");
  };
  EXPECT_TRUE(nested(kMaxJsonDepth - 1));  // the document itself is one level
  EXPECT_FALSE(nested(kMaxJsonDepth));
  EXPECT_FALSE(nested(100'000));
}

}  // namespace
}  // namespace baokms::contract
