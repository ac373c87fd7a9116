#include "common/contract/registry.h"

#include <array>
#include <string>
#include <string_view>
#include <vector>

#include <gtest/gtest.h>

#include "common/contract/limits.h"
#include "tests/contract/vectors.h"

namespace baokms::contract {
namespace {

using vectors::GoldenConfig;
using vectors::kFirstVersion;
using vectors::kGoldenVersion;
using vectors::kSecondVersion;
using vectors::MakeRecord;

RegistryContents TwoKeys() {
  const KeyRecord active = MakeRecord(kSecondVersion, RecordState::kActive);
  return {.identity_fingerprint = Fingerprint(GoldenConfig()).value(),
          .generation = 2,
          .previous_hash = {},
          .active_key_id = active.key_id,
          .records = {active, MakeRecord(kFirstVersion, RecordState::kRetired)}};
}

struct BrokenRegistry {
  std::string_view what;
  void (*spoil)(RegistryContents&);
};

using ContentsRef = RegistryContents&;

constexpr auto kBrokenRegistries = std::to_array<BrokenRegistry>({
    {"registry generation is zero",
     [](ContentsRef c) {
       c.generation = 0;
     }},
    {"registry has no records, or too many",
     [](ContentsRef c) {
       c.records.clear();
     }},
    {"registry has no records, or too many",
     [](ContentsRef c) {
       c.records.resize(kMaxKeyRecords + 1, c.records.front());
     }},
    {"cluster id is not valid",
     [](ContentsRef c) {
       c.records[1].identity.cluster_id = " a";
     }},
    {"transit key version is not positive",
     [](ContentsRef c) {
       c.records[1].version.number = 0;
     }},
    {"transit key version has no creation time",
     [](ContentsRef c) {
       c.records[1].version.created_at_unix = -1;
     }},
    {"record has a key_id that is not its own",
     [](ContentsRef c) {
       c.records[1].version.created_at_unix += 1;
     }},
    {"record has a key_id that is not its own",
     [](ContentsRef c) {
       c.records[1].identity.cluster_id = "workload-b";
     }},
    {"key_id is in the registry twice",
     [](ContentsRef c) {
       c.records.push_back(c.records[1]);
     }},
    {"registry does not have exactly one active record",
     [](ContentsRef c) {
       c.records[0].state = RecordState::kRetired;
     }},
    {"registry does not have exactly one active record",
     [](ContentsRef c) {
       c.records[1].state = RecordState::kActive;
     }},
    {"active key_id is not that of the active record",
     [](ContentsRef c) {
       c.active_key_id = c.records[1].key_id;
     }},
    {"record has a negative time or count",
     [](ContentsRef c) {
       c.records[1].observed_at_unix = -1;
     }},
    {"record has a negative time or count",
     [](ContentsRef c) {
       c.records[1].promoted_at_unix = -1;
     }},
    {"record has a negative time or count",
     [](ContentsRef c) {
       c.records[1].stable_at_unix = -1;
     }},
    {"record has a negative time or count",
     [](ContentsRef c) {
       c.records[1].stable_observation_count = -1;
     }},
    {"record was counted but never observed",
     [](ContentsRef c) {
       c.records[1].observed_at_unix = 0;
       c.records[1].stable_observation_count = 1;
     }},
    {"record is stable but was never counted",
     [](ContentsRef c) {
       c.records[1].stable_at_unix = 1700000000;
     }},
    {"record was stable before it was observed",
     [](ContentsRef c) {
       c.records[1].stable_observation_count = 3;
       c.records[1].stable_at_unix = 1699999999;
     }},
    {"record was promoted before it was observed",
     [](ContentsRef c) {
       c.records[1].promoted_at_unix = 1699999999;
     }},
});

TEST(RegistryTest, AppliesEveryRule) {
  ASSERT_TRUE(RegistryState::Create(TwoKeys()).has_value());
  for (const BrokenRegistry& row : kBrokenRegistries) {
    SCOPED_TRACE(row.what);
    RegistryContents contents = TwoKeys();
    row.spoil(contents);
    const auto refused = RegistryState::Create(contents);
    ASSERT_FALSE(refused.has_value());
    EXPECT_EQ(refused.error().what(), row.what);
  }
}

TEST(RegistryTest, AcceptsRecordsThatNeverWereObservedOrPromoted) {
  RegistryContents contents = TwoKeys();
  contents.records[1].observed_at_unix = 0;
  contents.records[1].promoted_at_unix = 0;
  EXPECT_TRUE(RegistryState::Create(contents).has_value());
}

TEST(RegistryTest, FindsRecordsInEveryState) {
  RegistryContents contents = TwoKeys();
  contents.records[1].state = RecordState::kRemoved;
  const RegistryState state = RegistryState::Create(contents).value();
  EXPECT_EQ(state.active(), contents.records[0]);
  ASSERT_NE(state.Find(contents.records[1].key_id), nullptr);
  EXPECT_EQ(*state.Find(contents.records[1].key_id), contents.records[1]);
  EXPECT_EQ(state.Find(MakeRecord(kGoldenVersion, RecordState::kActive).key_id), nullptr);
}

TEST(RegistryTest, HashesTheOrderOfTheRecords) {
  RegistryContents contents = TwoKeys();
  const RegistryState state = RegistryState::Create(contents).value();
  std::swap(contents.records[0], contents.records[1]);
  const RegistryState swapped = RegistryState::Create(contents).value();
  EXPECT_FALSE(swapped.current_hash() == state.current_hash());
  EXPECT_EQ(swapped.active(), state.active());
}

TEST(RegistryTest, WritesByStateThenVersionThenKeyId) {
  const auto at = [](std::int64_t number, std::int64_t created, RecordState state) {
    return MakeRecord({.number = number, .created_at_unix = created}, state);
  };
  const KeyRecord removed = at(9, 1, RecordState::kRemoved);
  const KeyRecord old = at(2, 1, RecordState::kRetired);
  const KeyRecord twin_a = at(4, 1, RecordState::kRetired);
  const KeyRecord twin_b = at(4, 2, RecordState::kRetired);
  const KeyRecord pending = at(6, 1, RecordState::kPending);
  const KeyRecord active = at(5, 1, RecordState::kActive);
  const bool a_first = twin_a.key_id < twin_b.key_id;
  const std::vector<KeyRecord> expected = {
      active, pending, a_first ? twin_a : twin_b, a_first ? twin_b : twin_a, old, removed};
  EXPECT_EQ(InWriteOrder({removed, old, twin_a, twin_b, pending, active}), expected);
  EXPECT_EQ(InWriteOrder({active, twin_b, twin_a, removed, pending, old}), expected);
}

TEST(RegistryTest, NamesItsStatesAsTheFileDoes) {
  for (const std::string_view name : {"active", "pending", "retired", "rejected", "removed"}) {
    EXPECT_EQ(ToString(ParseRecordState(name).value()), name);
  }
  EXPECT_FALSE(ParseRecordState("Active").has_value());
  EXPECT_FALSE(ParseRecordState("").has_value());
}

TEST(RegistryTest, DecryptsWithActivePendingAndRetiredKeysOnly) {
  EXPECT_TRUE(Decrypts(RecordState::kActive));
  EXPECT_TRUE(Decrypts(RecordState::kPending));
  EXPECT_TRUE(Decrypts(RecordState::kRetired));
  EXPECT_FALSE(Decrypts(RecordState::kRejected));
  EXPECT_FALSE(Decrypts(RecordState::kRemoved));
}

TEST(RegistryTest, BelongsToItsOwnConfigurationOnly) {
  const RegistryState state = RegistryState::Create(TwoKeys()).value();
  EXPECT_TRUE(CheckBelongsTo(state, GoldenConfig()).has_value());
  ConfigIdentity other = GoldenConfig();
  other.transit_key_name = "another";
  EXPECT_EQ(CheckBelongsTo(state, other).error().what(),
            "registry was written for another identity");
  RegistryContents mixed = TwoKeys();
  mixed.records[1].identity.cluster_id = "workload-b";
  mixed.records[1].key_id =
      DeriveKeyId(mixed.records[1].identity, mixed.records[1].version).value();
  EXPECT_EQ(CheckBelongsTo(RegistryState::Create(mixed).value(), GoldenConfig()).error().what(),
            "registry record was written for another identity");
}

}  // namespace
}  // namespace baokms::contract
