#include "common/contract/operator_steps.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <random>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "common/contract/registry_json.h"
#include "common/contract/registry_transition.h"
#include "tests/contract/vectors.h"

namespace baokms::contract {
namespace {

using vectors::MakeRecord;

KeyVersion Version(std::int64_t number) {
  return {.number = number, .created_at_unix = 1700000000 + number * 60};
}

// One record per state, versions from 1 on.
RegistryState StateOf(const std::vector<RecordState>& states) {
  RegistryContents contents{.identity_fingerprint = Fingerprint(vectors::GoldenConfig()).value(),
                            .generation = 7,
                            .previous_hash = {},
                            .active_key_id = MakeRecord(Version(1), RecordState::kActive).key_id,
                            .records = {}};
  for (std::size_t i = 0; i < states.size(); ++i) {
    const KeyRecord record = MakeRecord(Version(static_cast<std::int64_t>(i) + 1), states[i]);
    if (states[i] == RecordState::kActive) {
      contents.active_key_id = record.key_id;
    }
    contents.records.push_back(record);
  }
  return RegistryState::Create(std::move(contents)).value();
}

constexpr RecordState kA = RecordState::kActive;
constexpr RecordState kP = RecordState::kPending;
constexpr RecordState kR = RecordState::kRetired;
constexpr RecordState kX = RecordState::kRemoved;

std::vector<RecordState> StatesOf(const RegistryState& state) {
  std::vector<RecordState> states;
  for (const KeyRecord& record : state.contents().records) {
    states.push_back(record.state);
  }
  return states;
}

TransitKeyMetadata Metadata(std::int64_t latest) {
  TransitKeyMetadata metadata;
  metadata.latest_version = latest;
  metadata.min_decryption_version = 1;
  for (std::int64_t number = 1; number <= latest; ++number) {
    metadata.versions.push_back(Version(number));
  }
  return metadata;
}

TEST(RetireBeforeTest, RemovesOnlyRetiredVersionsBelow) {
  const RegistryState state = StateOf({kX, kR, kR, kA, kP});
  const OperatorStep step = RetireBefore(state, 3).value();
  ASSERT_TRUE(step.next.has_value());
  EXPECT_EQ(StatesOf(*step.next), (std::vector{kX, kX, kR, kA, kP}));
  ASSERT_EQ(step.changed.size(), 1U);
  EXPECT_EQ(step.changed[0].version.number, 2);
  EXPECT_EQ(step.changed[0].state, kX);
}

TEST(RetireBeforeTest, LinksTheNextGenerationAndKeepsEverythingElse) {
  const RegistryState state = StateOf({kR, kA});
  const RegistryState next = *RetireBefore(state, 2).value().next;
  EXPECT_EQ(next.contents().generation, 8U);
  EXPECT_EQ(next.contents().previous_hash, state.current_hash());
  KeyRecord expected = state.contents().records[0];
  expected.state = kX;
  EXPECT_EQ(next.contents().records[0], expected);
  EXPECT_EQ(next.contents().records[1], state.contents().records[1]);
}

TEST(RetireBeforeTest, HasNothingToDoWhenNothingIsRetiredBelow) {
  const OperatorStep step = RetireBefore(StateOf({kX, kX, kA}), 3).value();
  EXPECT_FALSE(step.next.has_value());
  EXPECT_TRUE(step.changed.empty());
}

TEST(RetireBeforeTest, RefusesVersionsThatAreNotBetweenTwoAndTheActiveOne) {
  const RegistryState state = StateOf({kR, kR, kA, kP});
  for (const std::int64_t version : {INT64_MIN, -1L, 0L, 1L, 4L, 5L, INT64_MAX}) {
    EXPECT_FALSE(RetireBefore(state, version).has_value()) << version;
  }
  EXPECT_TRUE(RetireBefore(state, 3).has_value());
}

TEST(RetireBeforeTest, WritesTheBytesOfThePublishedExample) {
  const RegistryState rotated =
      ParseState(vectors::ReadFixture("computed/state-rotated.v1alpha2.json")).value();
  const OperatorStep step = RetireBefore(rotated, 2).value();
  EXPECT_EQ(SerializeState(*step.next),
            vectors::ReadFixture("computed/state-removed.v1alpha2.json"));
}

TEST(RestoreVersionsTest, BringsBackExactlyTheNamedVersions) {
  const RegistryState state = StateOf({kX, kX, kR, kX, kA});
  const OperatorStep step = RestoreVersions(state, std::array<std::int64_t, 2>{4, 1}).value();
  EXPECT_EQ(StatesOf(*step.next), (std::vector{kR, kX, kR, kR, kA}));
  EXPECT_EQ(step.changed.size(), 2U);
}

TEST(RestoreVersionsTest, RefusesWhatIsNotRemovedOrNotBelowTheActiveVersion) {
  const RegistryState state = StateOf({kX, kR, kA, kP});
  const std::vector<std::vector<std::int64_t>> refused = {{2}, {3},  {4},    {5},
                                                          {0}, {-1}, {1, 1}, {1, 2}};
  for (const auto& versions : refused) {
    EXPECT_FALSE(RestoreVersions(state, versions).has_value()) << versions.front();
  }
  EXPECT_TRUE(RestoreVersions(state, std::array<std::int64_t, 1>{1}).has_value());
}

TEST(RestoreVersionsTest, HasNothingToDoWithoutVersions) {
  EXPECT_FALSE(RestoreVersions(StateOf({kX, kA}), {}).value().next.has_value());
}

// Registries of up to eight versions in every legal combination of states.
RegistryState RandomState(std::mt19937& random) {
  std::vector<RecordState> states;
  const std::size_t older = random() % 7;
  for (std::size_t i = 0; i < older; ++i) {
    states.push_back(random() % 2 == 0 ? kR : kX);
  }
  states.push_back(kA);
  if (random() % 2 == 0) {
    states.push_back(kP);
  }
  return StateOf(states);
}

TEST(OperatorStepsTest, RestoringUndoesEveryRetirement) {
  std::mt19937 random(20260101);  // NOLINT(cert-msc32-c,cert-msc51-cpp): the same cases every time
  for (int round = 0; round < 2000; ++round) {
    const RegistryState state = RandomState(random);
    const std::int64_t active = state.active().version.number;
    if (active < 2) {
      continue;
    }
    const auto before = 2 + static_cast<std::int64_t>(random()) % (active - 1);
    const OperatorStep retired = RetireBefore(state, before).value();
    if (!retired.next.has_value()) {
      continue;
    }
    EXPECT_TRUE(CheckOperatorTransition(state, *retired.next).has_value());
    EXPECT_FALSE(CheckTransition(state, *retired.next).has_value());
    std::vector<std::int64_t> versions;
    for (const KeyRecord& record : retired.changed) {
      versions.push_back(record.version.number);
      EXPECT_LT(record.version.number, before);
    }
    const OperatorStep restored = RestoreVersions(*retired.next, versions).value();
    EXPECT_EQ(restored.next->contents().records, state.contents().records);
    EXPECT_TRUE(CheckOperatorTransition(*retired.next, *restored.next).has_value());
  }
}

TEST(CheckOperatorTransitionTest, AcceptsOnlyChangesBetweenRetiredAndRemoved) {
  const RegistryState from = StateOf({kR, kX, kR, kA, kP});
  for (std::size_t at = 0; at < 5; ++at) {
    for (const RecordState state : {kA, kP, kR, RecordState::kRejected, kX}) {
      RegistryContents contents = from.contents();
      contents.generation = 8;
      contents.previous_hash = from.current_hash();
      contents.records[at].state = state;
      const auto to = RegistryState::Create(contents);
      const bool legal =
          state == from.contents().records[at].state || (at < 3 && (state == kR || state == kX));
      EXPECT_EQ(to.has_value() && CheckOperatorTransition(from, *to).has_value(), legal)
          << at << " " << ToString(state);
    }
  }
}

TEST(CheckOperatorTransitionTest, RefusesAChangeAboveTheActiveVersion) {
  const RegistryState from = StateOf({kA, kR, kX});
  for (const auto& [at, state] : {std::pair(1U, kX), std::pair(2U, kR)}) {
    RegistryContents contents = from.contents();
    contents.generation = 8;
    contents.previous_hash = from.current_hash();
    contents.records[at].state = state;
    EXPECT_FALSE(CheckOperatorTransition(from, RegistryState::Create(contents).value())) << at;
  }
}

TEST(CheckOperatorTransitionTest, RefusesEveryOtherChange) {
  const RegistryState from = StateOf({kR, kX, kA});
  const std::vector<std::function<void(RegistryContents&)>> changes = {
      [](auto& contents) { contents.generation = 7; },
      [](auto& contents) { contents.generation = 9; },
      [](auto& contents) { contents.previous_hash.reset(); },
      [](auto& contents) {
        contents.previous_hash = StateHash::FromDigest(Sha256(AsBytes("another")));
      },
      [](auto& contents) {
        ConfigIdentity other = vectors::GoldenConfig();
        other.transit_mount_path = "elsewhere";
        contents.identity_fingerprint = Fingerprint(other).value();
      },
      [](auto& contents) { contents.records.erase(contents.records.begin()); },
      [](auto& contents) { contents.records.push_back(MakeRecord(Version(9), kR)); },
      [](auto& contents) { std::ranges::reverse(contents.records); },
      [](auto& contents) { contents.records[0].observed_at_unix -= 1; },
      [](auto& contents) { contents.records[2].promoted_at_unix = 1700000900; },
  };
  for (std::size_t i = 0; i < changes.size(); ++i) {
    RegistryContents contents = from.contents();
    contents.generation = 8;
    contents.previous_hash = from.current_hash();
    ASSERT_TRUE(CheckOperatorTransition(from, RegistryState::Create(contents).value()).has_value());
    changes[i](contents);
    const auto to = RegistryState::Create(contents);
    ASSERT_TRUE(to.has_value()) << i;
    EXPECT_FALSE(CheckOperatorTransition(from, *to).has_value()) << i;
  }
}

LegacyState ReadLegacy(std::string_view name) {
  const auto fingerprint = Fingerprint(vectors::GoldenConfig()).value();
  return ParseLegacyState(vectors::ReadFixture(name), fingerprint).value();
}

TEST(MigrateLegacyTest, CarriesEveryPublishedFileOver) {
  for (const std::string_view name : vectors::kOlderStates) {
    const LegacyState legacy = ReadLegacy(name);
    const RegistryState next = MigrateLegacy(legacy, vectors::GoldenConfig()).value();
    EXPECT_EQ(next.contents().records, legacy.contents.records) << name;
    EXPECT_EQ(next.contents().active_key_id, legacy.contents.active_key_id) << name;
    EXPECT_EQ(next.contents().generation, legacy.contents.generation + 1) << name;
    EXPECT_EQ(next.contents().previous_hash, legacy.current_hash) << name;
    EXPECT_TRUE(CheckBelongsTo(next, vectors::GoldenConfig()).has_value()) << name;
    EXPECT_EQ(ParseState(SerializeState(next)).value(), next) << name;
  }
}

TEST(MigrateLegacyTest, IsAcceptedBesideTheOldCheckpoint) {
  for (const std::string_view name : vectors::kOlderStates) {
    const LegacyState legacy = ReadLegacy(name);
    const RegistryState next = MigrateLegacy(legacy, vectors::GoldenConfig()).value();
    const Checkpoint old{.generation = legacy.contents.generation,
                         .current_hash = legacy.current_hash};
    EXPECT_EQ(CompareWithCheckpoint(&next, &old), CheckpointVerdict::kWriteCheckpoint) << name;
  }
}

TEST(MigrateLegacyTest, RefusesRecordsOfAnotherIdentity) {
  ConfigIdentity other = vectors::GoldenConfig();
  other.key.cluster_id = "workload-b";
  const auto migrated = MigrateLegacy(ReadLegacy(vectors::kOlderStates[0]), other);
  ASSERT_FALSE(migrated.has_value());
  EXPECT_EQ(migrated.error().code(), ErrorCode::kFailedPrecondition);
}

TEST(ParseLegacyStateTest, RefusesEveryChangedDigit) {
  const auto fingerprint = Fingerprint(vectors::GoldenConfig()).value();
  const std::string text = vectors::ReadFixture(vectors::kOlderStates[1]);
  for (std::size_t at = 0; at < text.size(); ++at) {
    if (text[at] >= '0' && text[at] <= '9') {
      std::string changed = text;
      changed[at] = changed[at] == '9' ? '8' : static_cast<char>(changed[at] + 1);
      EXPECT_FALSE(ParseLegacyState(changed, fingerprint).has_value()) << at;
    }
  }
}

TEST(ParseLegacyStateTest, RefusesFilesOfTheCurrentSchema) {
  const auto fingerprint = Fingerprint(vectors::GoldenConfig()).value();
  const std::string text = vectors::ReadFixture("computed/state-rotated.v1alpha2.json");
  EXPECT_FALSE(ParseLegacyState(text, fingerprint).has_value());
  std::string renamed = text;
  renamed.replace(renamed.find("v1alpha2"), 8, "v1alpha1");
  EXPECT_FALSE(ParseLegacyState(renamed, fingerprint).has_value());
}

TEST(RebuildStateTest, MakesTheLatestVersionActiveAndOlderOnesRetired) {
  const RegistryState state = RebuildState(vectors::GoldenConfig(), Metadata(3), {}).value();
  EXPECT_EQ(StatesOf(state), (std::vector{kA, kR, kR}));
  EXPECT_EQ(state.active().version.number, 3);
  EXPECT_EQ(state.contents().generation, 1U);
  EXPECT_FALSE(state.contents().previous_hash.has_value());
  for (const KeyRecord& record : state.contents().records) {
    KeyRecord expected = MakeRecord(record.version, record.state);
    expected.observed_at_unix = 0;
    expected.promoted_at_unix = 0;
    EXPECT_EQ(record, expected);
  }
}

TEST(RebuildStateTest, GivesTheSameHashForTheSameMetadata) {
  TransitKeyMetadata shuffled = Metadata(5);
  std::ranges::reverse(shuffled.versions);
  EXPECT_EQ(RebuildState(vectors::GoldenConfig(), shuffled, {}).value().current_hash(),
            RebuildState(vectors::GoldenConfig(), Metadata(5), {}).value().current_hash());
}

TEST(RebuildStateTest, LeavesOutVersionsThatCannotDecrypt) {
  TransitKeyMetadata metadata = Metadata(5);
  metadata.min_decryption_version = 3;
  EXPECT_EQ(RebuildState(vectors::GoldenConfig(), metadata, {}).value().contents().records.size(),
            3U);
  metadata.min_available_version = 5;
  EXPECT_EQ(RebuildState(vectors::GoldenConfig(), metadata, {}).value().contents().records.size(),
            1U);
}

TEST(RebuildStateTest, FollowsACheckpointThatOutlivedItsState) {
  const RegistryState lost = StateOf({kR, kA});
  const Checkpoint checkpoint = CheckpointOf(lost);
  const RegistryState state =
      RebuildState(vectors::GoldenConfig(), Metadata(2), checkpoint).value();
  EXPECT_EQ(CompareWithCheckpoint(&state, &checkpoint), CheckpointVerdict::kWriteCheckpoint);
  const Checkpoint last{.generation = UINT64_MAX, .current_hash = lost.current_hash()};
  EXPECT_FALSE(RebuildState(vectors::GoldenConfig(), Metadata(2), last).has_value());
}

TEST(RebuildStateTest, RefusesAKeyThatNeedsNoRecoveryOrHasNoLatestVersion) {
  EXPECT_FALSE(RebuildState(vectors::GoldenConfig(), Metadata(1), {}).has_value());
  EXPECT_FALSE(RebuildState(vectors::GoldenConfig(), Metadata(0), {}).has_value());
  TransitKeyMetadata gap = Metadata(3);
  gap.versions.pop_back();
  EXPECT_FALSE(RebuildState(vectors::GoldenConfig(), gap, {}).has_value());
}

}  // namespace
}  // namespace baokms::contract
