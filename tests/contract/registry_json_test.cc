#include "common/contract/registry_json.h"

#include <array>
#include <string>
#include <string_view>
#include <utility>

#include <gtest/gtest.h>

#include "common/contract/encoding.h"
#include "common/contract/go_json.h"
#include "common/contract/limits.h"
#include "tests/contract/vectors.h"

namespace baokms::contract {
namespace {

using vectors::Json;
using vectors::ReadFixture;

constexpr std::array<std::string_view, 4> kStates = {
    "keyregistry/state-discovered-v2.json", "computed/state-initial.v1alpha2.json",
    "computed/state-rotated.v1alpha2.json", "computed/state-removed.v1alpha2.json"};

std::string Replace(std::string text, std::string_view from, std::string_view to) {
  const std::size_t at = text.find(from);
  EXPECT_NE(at, std::string::npos) << from;
  return text.replace(at, from.size(), to);
}

// One active record under a name that JSON has several spellings for.
RegistryState EscapedState() {
  KeyRecord record = vectors::MakeRecord(vectors::kFirstVersion, RecordState::kActive);
  record.identity.provider_name = "kms <é/\u2028>";
  record.key_id = DeriveKeyId(record.identity, record.version).value();
  return RegistryState::Create(
             {.identity_fingerprint = Fingerprint(vectors::GoldenConfig()).value(),
              .generation = 18446744073709551615U,
              .previous_hash = {},
              .active_key_id = record.key_id,
              .records = {record}})
      .value();
}

// False for a list, which is not written.
bool WriteScalar(GoJsonWriter& writer, const std::string& name, const Json& value) {
  if (value.is_string()) {
    writer.Text(name, value.get<std::string>());
  } else if (value.is_number()) {
    writer.Number(name, value.get<std::uint64_t>());
  }
  return !value.is_array();
}

std::string WriteDocument(const Json& document) {
  GoJsonWriter writer(GoJsonWriter::Style::kCompact);
  writer.BeginObject();
  for (const auto& [name, value] : document.items()) {
    if (WriteScalar(writer, name, value)) {
      continue;
    }
    writer.BeginArray(name);
    for (const Json& record : value) {
      writer.BeginObject();
      for (const auto& [member, content] : record.items()) {
        WriteScalar(writer, member, content);
      }
      writer.EndObject();
    }
    writer.EndArray();
  }
  writer.EndObject();
  return std::move(writer).Take();
}

TEST(RegistryJsonTest, ReadsAndRewritesEveryVectorByteForByte) {
  for (const std::string_view path : kStates) {
    SCOPED_TRACE(path);
    const std::string text = ReadFixture(path);
    const auto state = ParseState(text);
    ASSERT_TRUE(state.has_value()) << state.error().ToString();
    EXPECT_EQ(SerializeState(*state), text);
  }
}

TEST(RegistryJsonTest, HashesTheBodiesOfTheVectors) {
  const auto rows = vectors::ReadJson("computed/state-hash-bodies.json");
  ASSERT_EQ(rows.size(), 4U);
  const std::array<std::string_view, 4> paths = {kStates[1], kStates[0], kStates[2], kStates[3]};
  for (std::size_t i = 0; i < paths.size(); ++i) {
    SCOPED_TRACE(paths[i]);
    const RegistryState state = ParseState(ReadFixture(paths[i])).value();
    EXPECT_EQ(HashBody(state.contents()), rows[i].at("hashBody").get<std::string>());
    EXPECT_EQ(state.current_hash().text(), rows[i].at("currentHash").get<std::string>());
  }
}

// The older schema hashes in the same way, and its golden hashes check our Go JSON.
TEST(RegistryJsonTest, RefusesTheOlderSchemaEvenWithItsRightHash) {
  for (const std::string_view path : vectors::kOlderStates) {
    SCOPED_TRACE(path);
    Json document = Json::parse(ReadFixture(path));
    const std::string hash = document.at("currentHash");
    document.erase("currentHash");
    EXPECT_EQ(StateHash::FromDigest(Sha256(AsBytes(WriteDocument(document)))).text(), hash);

    const auto refused = ParseState(ReadFixture(path));
    ASSERT_FALSE(refused.has_value());
    EXPECT_EQ(refused.error().what(), "state file is not of schema v1alpha2");
  }
}

// These two have every member that occurs in any of the vectors.
TEST(RegistryJsonTest, RefusesEveryBitFlip) {
  for (const std::string_view path : {kStates[0], kStates[3]}) {
    SCOPED_TRACE(path);
    vectors::ForEachBitFlip(ReadFixture(path), [](std::string_view flipped, std::size_t bit) {
      EXPECT_FALSE(ParseState(flipped).has_value()) << "byte " << bit / 8 << " bit " << bit % 8;
    });
  }
}

// Where an escape is used, the case of its hexadecimal digits is one bit, and only spelling.
TEST(RegistryJsonTest, TakesABitFlipOnlyForAnotherSpellingOfTheSameState) {
  const RegistryState state = EscapedState();
  int spellings = 0;
  vectors::ForEachBitFlip(SerializeState(state), [&](std::string_view flipped, std::size_t bit) {
    const auto parsed = ParseState(flipped);
    if (parsed.has_value()) {
      ++spellings;
      EXPECT_TRUE(*parsed == state) << "byte " << bit / 8;
    }
  });
  EXPECT_EQ(spellings, 2);  // \u003C and \u003E
}

// The final newline is whitespace; nothing else at the end is.
TEST(RegistryJsonTest, RefusesEveryTruncation) {
  for (const std::string_view path : kStates) {
    SCOPED_TRACE(path);
    const std::string text = ReadFixture(path);
    vectors::ForEachTruncation(text, [&text](std::string_view cut) {
      EXPECT_EQ(ParseState(cut).has_value(), cut.size() + 1 == text.size()) << cut.size();
    });
  }
}

TEST(RegistryJsonTest, DoesNotCareForWhitespaceMemberOrderOrSpelling) {
  const RegistryState state = EscapedState();
  const std::string text = SerializeState(state);
  EXPECT_TRUE(ParseState(Json::parse(text).dump()).value() == state);
  EXPECT_TRUE(ParseState(nlohmann::json::parse(text).dump(7, '\t', true)).value() == state);
  EXPECT_TRUE(ParseState(" \r\n\t" + text + "\n ").value() == state);
  EXPECT_TRUE(ParseState(Replace(text, "é/", "\\u00e9\\/")).value() == state);
  EXPECT_EQ(SerializeState(ParseState(Json::parse(text).dump()).value()), text);
}

TEST(RegistryJsonTest, KeepsTheLargestGeneration) {
  EXPECT_EQ(ParseState(SerializeState(EscapedState())).value().contents().generation, UINT64_MAX);
}

struct BrokenFile {
  std::string_view name;
  std::string_view from;
  std::string_view to;
};

// Each would be accepted by a reader that is lax in one point; hashes do not cover these.
constexpr auto kBrokenFiles = std::to_array<BrokenFile>({
    {"unknown member", "{\n", "{ \"extra\": 1,\n"},
    {"unknown member of a record", "\"state\":", "\"extra\": \"\", \"state\":"},
    {"repeated member", "\"generation\": 2", "\"generation\": 2, \"generation\": 2"},
    {"repeated member of a record", "\"state\": \"active\"",
     "\"state\": \"active\", \"state\": \"active\""},
    {"repeated list", "\"snapshots\": [", "\"snapshots\": [], \"snapshots\": ["},
    {"other case", "\"generation\"", "\"Generation\""},
    {"text for a number", "\"generation\": 2", "\"generation\": \"2\""},
    {"number for a text", "\"state\": \"active\"", "\"state\": 1"},
    {"fraction", "\"generation\": 2", "\"generation\": 2.0"},
    {"exponent", "\"generation\": 2", "\"generation\": 2e0"},
    {"null for an absent member", "\"state\":", "\"openbaoNamespace\": null, \"state\":"},
    {"empty for an absent member", "\"state\":", "\"openbaoNamespace\": \"\", \"state\":"},
    {"zero for an absent member", "\"state\":", "\"stableAtUnix\": 0, \"state\":"},
    {"negative zero", "\"state\":", "\"stableAtUnix\": -0, \"state\":"},
    {"list for a member", "\"generation\": 2", "\"generation\": [2]"},
    {"object for a member", "\"generation\": 2", "\"generation\": {}"},
    {"missing list", "\"snapshots\": [", "\"snapshots\": 1, \"x\": ["},
    {"list in the list", "\"snapshots\": [", "\"snapshots\": [[], "},
    {"text in the list", "\"snapshots\": [", "\"snapshots\": [\"\", "},
    {"empty record", "\"snapshots\": [", "\"snapshots\": [{}, "},
    {"other AAD mode", "aad.required", "aad.none"},
    {"unknown state", "\"state\": \"active\"", "\"state\": \"paused\""},
    {"number above 63 bits", "1700000060,", "9223372036854775808,"},
    {"number above 64 bits", "\"generation\": 2", "\"generation\": 18446744073709551617"},
    {"malformed previous hash", "krs1.9", "krs2.9"},
    {"malformed fingerprint", "cfg1.", "cfg2."},
    {"other hash", "krs1.tu6", "krs1.tu7"},
    {"second document", "{\n", "{}{\n"},
    {"other schema", "v1alpha2", "v1alpha3"},
});

TEST(RegistryJsonTest, RefusesWhatAStrictReaderMust) {
  const std::string text = ReadFixture(kStates[0]);
  for (const BrokenFile& row : kBrokenFiles) {
    SCOPED_TRACE(row.name);
    EXPECT_FALSE(ParseState(Replace(text, row.from, row.to)).has_value());
  }
}

TEST(RegistryJsonTest, NeedsEveryMember) {
  const Json document = Json::parse(ReadFixture(kStates[0]));
  for (const auto& [name, value] : document.items()) {
    SCOPED_TRACE(name);
    Json cut = document;
    cut.erase(name);
    EXPECT_FALSE(ParseState(cut.dump()).has_value());
  }
  for (const auto& [name, value] : document.at("snapshots").at(0).items()) {
    SCOPED_TRACE(name);
    Json cut = document;
    cut.at("snapshots").at(0).erase(name);
    EXPECT_FALSE(ParseState(cut.dump()).has_value());
  }
}

TEST(RegistryJsonTest, RefusesOversizedFiles) {
  const std::string text = ReadFixture(kStates[0]);
  const std::string padding(kMaxStateFileBytes - text.size(), ' ');
  EXPECT_TRUE(ParseState(text + padding).has_value());
  EXPECT_FALSE(ParseState(text + padding + " ").has_value());
}

}  // namespace
}  // namespace baokms::contract
