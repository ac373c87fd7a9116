#include "common/contract/registry_transition.h"

#include <array>
#include <string>
#include <string_view>
#include <vector>

#include <gtest/gtest.h>

#include "common/contract/registry_json.h"
#include "tests/contract/vectors.h"

namespace baokms::contract {
namespace {

using vectors::MakeRecord;

constexpr KeyVersion kV1{.number = 1, .created_at_unix = 1700000060};
constexpr KeyVersion kV2{.number = 2, .created_at_unix = 1700000120};
constexpr KeyVersion kV3{.number = 3, .created_at_unix = 1700000180};
constexpr KeyVersion kV4{.number = 4, .created_at_unix = 1700000240};

// Version 1 removed, 2 retired, 3 active, 4 pending.
RegistryContents Before() {
  const KeyRecord active = MakeRecord(kV3, RecordState::kActive);
  return {
      .identity_fingerprint = Fingerprint(vectors::GoldenConfig()).value(),
      .generation = 5,
      .previous_hash = {},
      .active_key_id = active.key_id,
      .records = {active, MakeRecord(kV4, RecordState::kPending),
                  MakeRecord(kV2, RecordState::kRetired), MakeRecord(kV1, RecordState::kRemoved)}};
}

RegistryState From() {
  return RegistryState::Create(Before()).value();
}

// The same records in a linked generation.
RegistryContents After() {
  RegistryContents contents = Before();
  contents.generation = 6;
  contents.previous_hash = From().current_hash();
  return contents;
}

// Empty when the transition is accepted.
std::string_view Verdict(RegistryContents contents) {
  for (const KeyRecord& record : contents.records) {
    if (record.state == RecordState::kActive) {
      contents.active_key_id = record.key_id;
    }
  }
  const auto to = RegistryState::Create(contents);
  if (!to) {
    return "test made an invalid state";
  }
  const Status status = CheckTransition(From(), *to);
  return status ? std::string_view() : status.error().what();
}

RegistryContents Promoted() {
  RegistryContents contents = After();
  contents.records[0].state = RecordState::kRetired;
  contents.records[1].state = RecordState::kActive;
  contents.records[1].promoted_at_unix = 1700000300;
  return contents;
}

TEST(RegistryTransitionTest, AcceptsWhatTheStateMachineDoes) {
  EXPECT_EQ(Verdict(After()), "");
  EXPECT_EQ(Verdict(Promoted()), "");
  RegistryContents superseded = After();
  superseded.records[1].state = RecordState::kRetired;
  EXPECT_EQ(Verdict(superseded), "");
  RegistryContents grown = After();
  grown.records.push_back(MakeRecord({.number = 5, .created_at_unix = 1}, RecordState::kPending));
  EXPECT_EQ(Verdict(grown), "");
  RegistryContents skipping = After();
  skipping.generation = 9;
  EXPECT_EQ(Verdict(skipping), "");
}

TEST(RegistryTransitionTest, AcceptsTheVectorsInTheirOrder) {
  const auto load = [](std::string_view path) {
    return ParseState(vectors::ReadFixture(path)).value();
  };
  const RegistryState initial = load("computed/state-initial.v1alpha2.json");
  const RegistryState rotated = load("computed/state-rotated.v1alpha2.json");
  EXPECT_TRUE(CheckTransition(initial, rotated).has_value());
  EXPECT_TRUE(CheckTransition(initial, load("keyregistry/state-discovered-v2.json")).has_value());
  EXPECT_FALSE(CheckTransition(rotated, initial).has_value());
  // Removing a key is for the operator, never for the state machine.
  EXPECT_FALSE(CheckTransition(rotated, load("computed/state-removed.v1alpha2.json")).has_value());
}

struct TransitionRow {
  std::string_view what;
  void (*spoil)(RegistryContents&);
};

using Contents = RegistryContents&;

constexpr auto kTransitionRows = std::to_array<TransitionRow>({
    {"identity fingerprint would change",
     [](Contents c) {
       ConfigIdentity other = vectors::GoldenConfig();
       other.transit_key_name = "another";
       c.identity_fingerprint = Fingerprint(other).value();
     }},
    {"generation would not grow",
     [](Contents c) {
       c.generation = 5;
     }},
    {"generation would not grow",
     [](Contents c) {
       c.generation = 4;
     }},
    {"new state is not linked to the old one",
     [](Contents c) {
       c.previous_hash.reset();
     }},
    {"new state is not linked to the old one",
     [](Contents c) {
       c.previous_hash = RegistryState::Create(c).value().current_hash();
     }},
    {"active version would decrease",
     [](Contents c) {
       c.records[0].state = RecordState::kRetired;
       c.records[2].state = RecordState::kActive;
     }},
    {"active or retired key would stop decrypting",
     [](Contents c) {
       c.records.erase(c.records.begin() + 2);
     }},
    {"active or retired key would stop decrypting",
     [](Contents c) {
       c.records[2].state = RecordState::kRemoved;
     }},
    {"active or retired key would stop decrypting",
     [](Contents c) {
       c.records[2].state = RecordState::kRejected;
     }},
    {"active or retired key would stop decrypting",
     [](Contents c) {
       c.records[2].state = RecordState::kPending;
     }},
    {"active or retired key would stop decrypting",
     [](Contents c) {
       c.records[1].state = RecordState::kActive;
       c.records[0].state = RecordState::kRemoved;
     }},
    {"pending key would stop decrypting",
     [](Contents c) {
       c.records.erase(c.records.begin() + 1);
     }},
    {"pending key would stop decrypting",
     [](Contents c) {
       c.records[1].state = RecordState::kRemoved;
     }},
    {"pending key would stop decrypting",
     [](Contents c) {
       c.records[1].state = RecordState::kRejected;
     }},
    {"removed record would change",
     [](Contents c) {
       c.records.pop_back();
     }},
    {"removed record would change",
     [](Contents c) {
       c.records[3].state = RecordState::kRetired;
     }},
    {"removed record would change",
     [](Contents c) {
       c.records[3].promoted_at_unix += 1;
     }},
});

TEST(RegistryTransitionTest, RefusesEveryViolation) {
  for (const TransitionRow& row : kTransitionRows) {
    SCOPED_TRACE(row.what);
    RegistryContents contents = After();
    row.spoil(contents);
    EXPECT_EQ(Verdict(contents), row.what);
  }
}

// Nobody writes them any more, so nobody may change them either.
TEST(RegistryTransitionTest, KeepsRejectedRecordsAsTheyAre) {
  RegistryContents before = Before();
  before.records[3].state = RecordState::kRejected;
  const RegistryState from = RegistryState::Create(before).value();
  RegistryContents after = before;
  after.generation = 6;
  after.previous_hash = from.current_hash();
  EXPECT_TRUE(CheckTransition(from, RegistryState::Create(after).value()).has_value());
  after.records[3].state = RecordState::kRemoved;
  EXPECT_FALSE(CheckTransition(from, RegistryState::Create(after).value()).has_value());
}

constexpr std::int64_t kNow = 1700000000;

TransitKeyMetadata UnrotatedKey() {
  TransitKeyMetadata metadata;
  metadata.latest_version = 1;
  metadata.min_available_version = 0;
  metadata.min_decryption_version = 1;
  metadata.versions = {vectors::kFirstVersion};
  return metadata;
}

// The vector's fingerprint is all zeros, so only that line and the hash can differ.
TEST(RegistryTransitionTest, FirstStateSaysWhatTheVectorSays) {
  const RegistryState made = BuildFirstState(vectors::GoldenConfig(), UnrotatedKey(), kNow).value();
  const RegistryState vector =
      ParseState(vectors::ReadFixture("computed/state-initial.v1alpha2.json")).value();
  RegistryContents contents = made.contents();
  EXPECT_EQ(contents.identity_fingerprint, Fingerprint(vectors::GoldenConfig()).value());
  contents.identity_fingerprint = vector.contents().identity_fingerprint;
  EXPECT_EQ(RegistryState::Create(contents).value(), vector);
}

TEST(RegistryTransitionTest, FirstStateSurvivesItsFile) {
  const RegistryState made = BuildFirstState(vectors::GoldenConfig(), UnrotatedKey(), kNow).value();
  EXPECT_EQ(ParseState(SerializeState(made)).value(), made);
}

TEST(RegistryTransitionTest, HasNoFirstStateForRotatedKeys) {
  const auto with = [](void (*spoil)(TransitKeyMetadata&)) {
    TransitKeyMetadata metadata = UnrotatedKey();
    spoil(metadata);
    return BuildFirstState(vectors::GoldenConfig(), metadata, kNow);
  };
  for (const auto& refused : {with([](TransitKeyMetadata& m) { m.latest_version = 2; }),
                              with([](TransitKeyMetadata& m) { m.latest_version = 0; }),
                              with([](TransitKeyMetadata& m) { m.min_available_version = 2; }),
                              with([](TransitKeyMetadata& m) { m.min_decryption_version = 2; })}) {
    ASSERT_FALSE(refused.has_value());
    EXPECT_EQ(refused.error().code(), ErrorCode::kFailedPrecondition);
  }
  EXPECT_FALSE(with([](TransitKeyMetadata& m) { m.versions.clear(); }).has_value());
  EXPECT_FALSE(with([](TransitKeyMetadata& m) { m.versions[0].created_at_unix = 0; }).has_value());
}

TEST(RegistryTransitionTest, HasNoFirstStateWithABrokenClockOrIdentity) {
  EXPECT_FALSE(BuildFirstState(vectors::GoldenConfig(), UnrotatedKey(), 0).has_value());
  EXPECT_FALSE(BuildFirstState({}, UnrotatedKey(), kNow).has_value());
}

}  // namespace
}  // namespace baokms::contract
