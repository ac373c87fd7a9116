#include "common/contract/json_reader.h"

#include <string>
#include <string_view>

#include <gtest/gtest.h>

namespace baokms::contract {
namespace {

// Writes down what comes, and refuses the key "stop".
class Recorder final : public JsonEvents {
 public:
  bool BeginObject() override { return Add("{"); }

  bool EndObject() override { return Add("}"); }

  bool BeginArray() override { return Add("["); }

  bool EndArray() override { return Add("]"); }

  bool Key(std::string_view name) override {
    return Add(std::string(name) + "=") && name != "stop";
  }

  bool Text(std::string value) override { return Add("'" + value + "'"); }

  bool Number(std::uint64_t value) override { return Add(std::to_string(value)); }

  [[nodiscard]] const std::string& seen() const { return seen_; }

 private:
  bool Add(std::string_view piece) {
    seen_.append(piece);
    return true;
  }

  std::string seen_;
};

bool Reads(std::string_view text) {
  Recorder recorder;
  return ReadStrictJson(text, 1000, recorder).has_value();
}

TEST(JsonReaderTest, ReportsEveryPieceInOrder) {
  Recorder recorder;
  const std::string_view text = R"( {"a" : [1, {"b":"\u00e9"}], "c":18446744073709551615} )";
  EXPECT_TRUE(ReadStrictJson(text, 1000, recorder).has_value());
  EXPECT_EQ(recorder.seen(), "{a=[1{b='é'}]c=18446744073709551615}");
}

TEST(JsonReaderTest, StopsWhereTheEventsSaySo) {
  Recorder recorder;
  EXPECT_FALSE(ReadStrictJson(R"({"stop":1})", 1000, recorder).has_value());
  EXPECT_EQ(recorder.seen(), "{stop=");
}

TEST(JsonReaderTest, RefusesKindsThatOurFilesDoNotHave) {
  for (const std::string_view text : {"[null]", "[true]", "[false]", "[-1]", "[-0]", "[1.0]",
                                      "[1e0]", "[18446744073709551616]"}) {
    SCOPED_TRACE(text);
    EXPECT_FALSE(Reads(text));
  }
}

TEST(JsonReaderTest, RefusesWhatIsNotStrictJson) {
  for (const std::string_view text :
       {"", " ", "{", "[1,]", "[01]", "[+1]", "['a']", "{a:1}", "[1]x", "[1][1]", "[1] //",
        "/**/[1]", "[\"\t\"]", "[\"\\x\"]", "[\"\\ud800\"]", "[\"\xFF\"]", "\xEF\xBB\xBF[1]",
        "[1]\v", "[Infinity]"}) {
    SCOPED_TRACE(text);
    EXPECT_FALSE(Reads(text));
  }
}

TEST(JsonReaderTest, DoesNotTakeANulForTheEnd) {
  EXPECT_TRUE(Reads("[1]"));
  EXPECT_FALSE(Reads(std::string_view("[1]\0", 4)));
  EXPECT_FALSE(Reads(std::string_view("[1]\0{", 5)));
}

TEST(JsonReaderTest, BoundsTheDocument) {
  Recorder recorder;
  EXPECT_TRUE(ReadStrictJson("[1]", 3, recorder).has_value());
  const Status refused = ReadStrictJson("[10]", 3, recorder);
  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error().code(), ErrorCode::kResourceExhausted);
}

}  // namespace
}  // namespace baokms::contract
