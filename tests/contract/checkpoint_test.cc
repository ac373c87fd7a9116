#include "common/contract/checkpoint.h"

#include <string>
#include <string_view>

#include <gtest/gtest.h>

#include "common/contract/limits.h"
#include "common/contract/registry_json.h"
#include "tests/contract/vectors.h"

namespace baokms::contract {
namespace {

using vectors::ReadFixture;

RegistryState Load(std::string_view name) {
  return ParseState(
             ReadFixture(std::string("computed/state-").append(name).append(".v1alpha2.json")))
      .value();
}

RegistryState WithGeneration(std::uint64_t generation, const RegistryState& previous) {
  RegistryContents contents = previous.contents();
  contents.generation = generation;
  contents.previous_hash = previous.current_hash();
  return RegistryState::Create(contents).value();
}

TEST(CheckpointTest, ReadsAndRewritesEveryVectorByteForByte) {
  for (const std::string name : {"initial", "rotated", "removed"}) {
    SCOPED_TRACE(name);
    const std::string text = ReadFixture("computed/state-" + name + ".v1alpha2.json.checkpoint");
    const auto checkpoint = ParseCheckpoint(text);
    ASSERT_TRUE(checkpoint.has_value());
    EXPECT_EQ(*checkpoint, CheckpointOf(Load(name)));
    EXPECT_EQ(SerializeCheckpoint(*checkpoint), text);
  }
}

// A flip inside generation or hash can give another well-formed checkpoint, which accepts another
// state. It never accepts the same one: that is what the file is for.
TEST(CheckpointTest, TakesNoBitFlipForTheSameCheckpoint) {
  const RegistryState state = Load("rotated");
  const RegistryState initial = Load("initial");
  const std::string text = SerializeCheckpoint(CheckpointOf(state));
  vectors::ForEachBitFlip(text, [&](std::string_view flipped, std::size_t bit) {
    const auto parsed = ParseCheckpoint(flipped);
    if (parsed.has_value()) {
      EXPECT_EQ(SerializeCheckpoint(*parsed), flipped) << bit;
      EXPECT_EQ(CompareWithCheckpoint(&state, &*parsed), CheckpointVerdict::kRollback) << bit;
      EXPECT_EQ(CompareWithCheckpoint(&initial, &*parsed), CheckpointVerdict::kRollback) << bit;
    }
  });
}

TEST(CheckpointTest, RefusesEveryTruncation) {
  const std::string text = SerializeCheckpoint(CheckpointOf(Load("rotated")));
  vectors::ForEachTruncation(text, [&text](std::string_view cut) {
    EXPECT_EQ(ParseCheckpoint(cut).has_value(), cut.size() + 1 == text.size()) << cut.size();
  });
}

TEST(CheckpointTest, RefusesWhatAStrictReaderMust) {
  const std::string schema = R"("schemaVersion":"keyregistry.openbao-kms/checkpoint/v1alpha1")";
  const std::string hash = R"("currentHash":"krs1.jzzQze2o23vs5afOEts-09XozaWcNTmWpGAdu37P0FE")";
  ASSERT_TRUE(ParseCheckpoint("{" + schema + R"(,"generation":2,)" + hash + "}").has_value());
  for (const std::string& text :
       {std::string("{}"), std::string("[]"), std::string("2"), "{" + schema + "," + hash + "}",
        "{" + schema + R"(,"generation":2})", R"({"generation":2,)" + hash + "}",
        "{" + schema + R"(,"generation":0,)" + hash + "}",
        "{" + schema + R"(,"generation":-2,)" + hash + "}",
        "{" + schema + R"(,"generation":"2",)" + hash + "}",
        "{" + schema + R"(,"generation":2,"generation":2,)" + hash + "}",
        "{" + schema + R"(,"generation":2,"extra":2,)" + hash + "}",
        "{" + schema + R"(,"generation":{},)" + hash + "}",
        "{" + schema + R"(,"generation":[2],)" + hash + "}",
        "{" + schema + R"(,"generation":2,)" + hash + "}{}",
        R"({"schemaVersion":"keyregistry.openbao-kms/v1alpha2","generation":2,)" + hash + "}",
        "{" + schema + R"(,"generation":2,"currentHash":"krs1.jzz"})"}) {
    SCOPED_TRACE(text);
    EXPECT_FALSE(ParseCheckpoint(text).has_value());
  }
  EXPECT_FALSE(ParseCheckpoint(std::string(kMaxCheckpointFileBytes, ' ') + "{" + schema +
                               R"(,"generation":2,)" + hash + "}")
                   .has_value());
}

TEST(CheckpointTest, DecidesWhenAFileIsMissing) {
  const RegistryState state = Load("initial");
  const Checkpoint checkpoint = CheckpointOf(state);
  EXPECT_EQ(CompareWithCheckpoint(nullptr, nullptr), CheckpointVerdict::kNotFound);
  EXPECT_EQ(CompareWithCheckpoint(nullptr, &checkpoint), CheckpointVerdict::kRollback);
  EXPECT_EQ(CompareWithCheckpoint(&state, nullptr), CheckpointVerdict::kWriteCheckpoint);
}

TEST(CheckpointTest, AcceptsTheSameOrOneLinkedGeneration) {
  const RegistryState initial = Load("initial");
  const RegistryState rotated = Load("rotated");
  const RegistryState removed = Load("removed");
  const Checkpoint at_one = CheckpointOf(initial);
  const Checkpoint at_two = CheckpointOf(rotated);
  EXPECT_EQ(CompareWithCheckpoint(&rotated, &at_two), CheckpointVerdict::kAccepted);
  EXPECT_EQ(CompareWithCheckpoint(&rotated, &at_one), CheckpointVerdict::kWriteCheckpoint);
  EXPECT_EQ(CompareWithCheckpoint(&removed, &at_two), CheckpointVerdict::kWriteCheckpoint);
}

TEST(CheckpointTest, RefusesOlderSkippingAndUnlinkedStates) {
  const RegistryState initial = Load("initial");
  const RegistryState rotated = Load("rotated");
  const RegistryState removed = Load("removed");
  const Checkpoint at_one = CheckpointOf(initial);
  const Checkpoint at_two = CheckpointOf(rotated);
  EXPECT_EQ(CompareWithCheckpoint(&initial, &at_two), CheckpointVerdict::kRollback);  // older
  EXPECT_EQ(CompareWithCheckpoint(&removed, &at_one), CheckpointVerdict::kRollback);  // skipping
  const RegistryState skipping = WithGeneration(3, initial);
  EXPECT_EQ(CompareWithCheckpoint(&skipping, &at_one), CheckpointVerdict::kRollback);
  const RegistryState unlinked = WithGeneration(3, initial);
  EXPECT_EQ(CompareWithCheckpoint(&unlinked, &at_two), CheckpointVerdict::kRollback);
  const Checkpoint other_hash{.generation = 2, .current_hash = initial.current_hash()};
  EXPECT_EQ(CompareWithCheckpoint(&rotated, &other_hash), CheckpointVerdict::kRollback);
  const Checkpoint other_generation{.generation = 3, .current_hash = rotated.current_hash()};
  EXPECT_EQ(CompareWithCheckpoint(&rotated, &other_generation), CheckpointVerdict::kRollback);
}

TEST(CheckpointTest, DoesNotWrapAroundAtTheLastGeneration) {
  const RegistryState initial = Load("initial");
  const Checkpoint last{.generation = UINT64_MAX, .current_hash = initial.current_hash()};
  const RegistryState first = WithGeneration(1, initial);
  EXPECT_EQ(CompareWithCheckpoint(&first, &last), CheckpointVerdict::kRollback);
}

}  // namespace
}  // namespace baokms::contract
