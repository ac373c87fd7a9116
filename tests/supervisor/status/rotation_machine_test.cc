#include "supervisor/status/rotation_machine.h"

#include <algorithm>
#include <chrono>
#include <optional>
#include <string>

#include "common/contract/limits.h"
#include "gmock/gmock.h"
#include "rotation_fixture.h"

namespace baokms::supervisor {
namespace {

using contract::KeyRecord;
using contract::RecordState;
using contract::RegistryState;
using contract::TransitKeyMetadata;
using std::chrono::minutes;
using std::chrono::seconds;

constexpr std::int64_t kNow = kObserved + 1000;
constexpr RotationPolicy kPolicy = {.required_observations = 3, .activation_delay = minutes(2)};

Observation Scheduled(const RegistryState& state,
                      const TransitKeyMetadata& metadata,
                      std::int64_t now = kNow) {
  return Observe(state, metadata, FixtureIdentity(), kPolicy, Counting::kCounts, now);
}

Observation Discovered(const RegistryState& state, const TransitKeyMetadata& metadata) {
  return Observe(state, metadata, FixtureIdentity(), kPolicy, Counting::kDoesNotCount, kNow);
}

KeyRecord Active(std::int64_t version) {
  return MakeRecord(version, RecordState::kActive);
}

KeyRecord Retired(std::int64_t version) {
  return MakeRecord(version, RecordState::kRetired);
}

KeyRecord Removed(std::int64_t version) {
  return MakeRecord(version, RecordState::kRemoved);
}

KeyRecord Pending(std::int64_t version, std::int64_t count = 0, std::int64_t stable_at = 0) {
  KeyRecord record = MakeRecord(version, RecordState::kPending);
  record.stable_observation_count = count;
  record.stable_at_unix = stable_at;
  return record;
}

TEST(ObserveTest, ChangesNothingForAnUnrotatedKey) {
  const auto observation = Scheduled(FirstState(), Metadata(1));
  EXPECT_FALSE(observation.failure.has_value());
  EXPECT_FALSE(observation.next.has_value());
  EXPECT_EQ(observation.change, RotationChange::kNone);
}

// Step 5, by what comes out.
struct ShapeRow {
  const char* name;
  std::vector<KeyRecord> before;
  std::int64_t latest;
  const char* after;  // nullptr: nothing changes
};

TEST(ObserveTest, AddsPendingAndInBetweenKeys) {
  const ShapeRow rows[] = {
      {"next version", {Active(1)}, 2, "1a 2p"},
      {"one in between", {Active(1)}, 3, "1a 3p 2r"},
      {"many in between", {Active(1)}, 6, "1a 6p 5r 4r 3r 2r"},
      {"older candidate becomes retired", {Active(1), Pending(2)}, 3, "1a 3p 2r"},
      {"and gaps are filled", {Active(1), Pending(2)}, 5, "1a 5p 4r 3r 2r"},
      {"candidate stays", {Active(1), Pending(2, 3, kNow)}, 2, nullptr},
      {"retired below active stay", {Active(3), Retired(2), Retired(1)}, 4, "3a 4p 2r 1r"},
      {"removed stay last", {Active(3), Retired(2), Removed(1)}, 4, "3a 4p 2r 1x"},
      {"removed in between is not revived", {Active(1), Removed(2)}, 3, "1a 3p 2x"},
  };
  for (const ShapeRow& row : rows) {
    SCOPED_TRACE(row.name);
    const RegistryState before = Registry(row.before);
    const auto observation = Scheduled(before, Metadata(row.latest));
    ASSERT_FALSE(observation.failure.has_value());
    ASSERT_EQ(observation.next.has_value(), row.after != nullptr);
    if (row.after != nullptr) {
      EXPECT_EQ(Shape(*observation.next), row.after);
      EXPECT_EQ(observation.change, RotationChange::kKeys);
      EXPECT_EQ(observation.next->contents().generation, 2U);
      EXPECT_EQ(observation.next->contents().previous_hash, before.current_hash());
      EXPECT_EQ(observation.next->active().version, before.active().version);
    }
  }
}

// The registry goes on with what it has; a registry that is almost full takes what still fits.
TEST(ObserveTest, LeavesAFullRegistryAsItIs) {
  constexpr auto kMax = std::int64_t{contract::kMaxKeyRecords};
  std::vector<KeyRecord> records = {Active(kMax - 1)};
  for (std::int64_t version = kMax - 2; version >= 1; --version) {
    records.push_back(Retired(version));
  }
  const RegistryState almost = Registry(records);
  const auto last = Scheduled(almost, Metadata(kMax));
  ASSERT_TRUE(last.next.has_value());
  EXPECT_EQ(last.next->contents().records.size(), contract::kMaxKeyRecords);
  for (const RegistryState& state : {*last.next, almost}) {
    const auto over = Scheduled(state, Metadata(kMax + 1));
    EXPECT_EQ(over.failure, RotationFailure::kRegistryFull);
    EXPECT_EQ(over.change, RotationChange::kKeys) << "OpenBao has a key that the registry has not";
    EXPECT_FALSE(over.next.has_value());
  }
}

struct FailureRow {
  const char* name;
  std::vector<KeyRecord> before;
  std::int64_t latest;
  void (*spoil)(TransitKeyMetadata&);
  RotationFailure failure;
};

TEST(ObserveTest, FailsClosed) {
  const auto nothing = [](TransitKeyMetadata&) {
  };
  const FailureRow rows[] = {
      {"rollback", {Active(2), Retired(1)}, 1, nothing, RotationFailure::kVersionRollback},
      {"exportable",
       {Active(1)},
       1,
       [](TransitKeyMetadata& m) { m.exportable = true; },
       RotationFailure::kProfileInvalid},
      {"soft deleted",
       {Active(1)},
       1,
       [](TransitKeyMetadata& m) { m.soft_deleted = true; },
       RotationFailure::kProfileInvalid},
      {"latest without entry",
       {Active(1)},
       2,
       [](TransitKeyMetadata& m) { m.versions.pop_back(); },
       RotationFailure::kProfileInvalid},
      {"version twice",
       {Active(1)},
       2,
       [](TransitKeyMetadata& m) { m.versions.push_back(m.versions[0]); },
       RotationFailure::kProfileInvalid},
      {"active recreated",
       {Active(1)},
       1,
       [](TransitKeyMetadata& m) { m.versions[0].created_at_unix += 1; },
       RotationFailure::kKeyUnusable},
      {"retired gone",
       {Active(2), Retired(1)},
       2,
       [](TransitKeyMetadata& m) { m.versions.erase(m.versions.begin()); },
       RotationFailure::kKeyUnusable},
      {"retired below min_decryption",
       {Active(2), Retired(1)},
       2,
       [](TransitKeyMetadata& m) { m.min_decryption_version = 2; },
       RotationFailure::kKeyUnusable},
      {"retired below min_available",
       {Active(2), Retired(1)},
       2,
       [](TransitKeyMetadata& m) { m.min_available_version = 2; },
       RotationFailure::kKeyUnusable},
      {"candidate no longer shown",
       {Active(1), Pending(2)},
       1,
       nothing,
       RotationFailure::kKeyUnusable},
      {"in between without entry",
       {Active(1)},
       3,
       [](TransitKeyMetadata& m) { m.versions.erase(m.versions.begin() + 1); },
       RotationFailure::kKeyUnusable},
      {"latest was removed", {Active(1), Removed(2)}, 2, nothing, RotationFailure::kStateInvalid},
      {"absurd latest version",
       {Active(1)},
       1,
       [](TransitKeyMetadata& m) {
         m.latest_version = INT64_MAX;
         m.versions.push_back({.number = INT64_MAX, .created_at_unix = 1});
       },
       RotationFailure::kKeyUnusable},
  };
  for (const FailureRow& row : rows) {
    SCOPED_TRACE(row.name);
    TransitKeyMetadata metadata = Metadata(row.latest);
    row.spoil(metadata);
    const auto observation = Scheduled(Registry(row.before), metadata);
    ASSERT_TRUE(observation.failure.has_value());
    EXPECT_EQ(*observation.failure, row.failure);
    EXPECT_FALSE(observation.next.has_value());
  }
}

TEST(ObserveTest, DoesNotCheckRemovedKeys) {
  TransitKeyMetadata metadata = Metadata(2);
  metadata.min_decryption_version = 2;
  metadata.versions.erase(metadata.versions.begin());
  EXPECT_FALSE(Scheduled(Registry({Active(2), Removed(1)}), metadata).failure.has_value());
}

TEST(ObserveTest, RefusesARegistryOfAnotherConfiguration) {
  auto other = FixtureIdentity();
  other.transit_mount_path = "elsewhere";
  const auto observation =
      Observe(FirstState(), Metadata(1), other, kPolicy, Counting::kCounts, kNow);
  EXPECT_EQ(observation.failure, RotationFailure::kStateForeign);
}

TEST(ObserveTest, CountsUpToTheThresholdAndThenLeavesTheDiskAlone) {
  RegistryState state = FirstState();
  for (std::int64_t count = 1; count <= 3; ++count) {
    SCOPED_TRACE(count);
    const auto observation = Scheduled(state, Metadata(2), kNow + count);
    ASSERT_TRUE(observation.next.has_value());
    state = *observation.next;
    const KeyRecord& pending = *PendingOf(state);
    EXPECT_EQ(pending.observed_at_unix, kNow + 1);
    EXPECT_EQ(pending.stable_observation_count, count);
    EXPECT_EQ(pending.stable_at_unix, count == 3 ? kNow + 3 : 0);
    EXPECT_EQ(observation.change,
              count == 1 ? RotationChange::kKeys : RotationChange::kBookkeeping);
  }
  EXPECT_FALSE(Scheduled(state, Metadata(2), kNow + 99).next.has_value());
}

TEST(ObserveTest, DoesNotCountInDiscovery) {
  const auto first = Discovered(FirstState(), Metadata(2));
  ASSERT_TRUE(first.next.has_value());
  EXPECT_EQ(PendingOf(*first.next)->stable_observation_count, 0);
  EXPECT_EQ(PendingOf(*first.next)->observed_at_unix, kNow);
  EXPECT_FALSE(Discovered(*first.next, Metadata(2)).next.has_value());
}

TEST(ObserveTest, KeepsTheCountsOfAnOlderCandidate) {
  const auto observation = Scheduled(Registry({Active(1), Pending(2, 2)}), Metadata(3));
  ASSERT_TRUE(observation.next.has_value());
  const KeyRecord* older = observation.next->Find(Pending(2).key_id);
  EXPECT_EQ(older->state, RecordState::kRetired);
  EXPECT_EQ(older->stable_observation_count, 2);
  EXPECT_EQ(PendingOf(*observation.next)->stable_observation_count, 1);
}

TEST(ObserveTest, NeverLetsTimesGoBackwards) {
  const auto observation =
      Scheduled(Registry({Active(1), Pending(2, 2)}), Metadata(2), kObserved - 500);
  ASSERT_TRUE(observation.next.has_value());
  EXPECT_EQ(PendingOf(*observation.next)->stable_at_unix, kObserved);
  EXPECT_EQ(observation.clock, ClockOrder::kRegressed);
}

TEST(ObserveTest, FailsWithAClockBefore1970) {
  EXPECT_EQ(Scheduled(FirstState(), Metadata(2), 0).failure, RotationFailure::kStateInvalid);
  EXPECT_EQ(Scheduled(FirstState(), Metadata(2), -5).failure, RotationFailure::kStateInvalid);
}

TEST(ObserveTest, FollowsAChangedThreshold) {
  RotationPolicy five = kPolicy;
  five.required_observations = 5;
  const RegistryState stable_for_three = Registry({Active(1), Pending(2, 3, kObserved)});
  auto observation =
      Observe(stable_for_three, Metadata(2), FixtureIdentity(), five, Counting::kCounts, kNow);
  ASSERT_TRUE(observation.next.has_value());
  EXPECT_EQ(PendingOf(*observation.next)->stable_observation_count, 4);
  EXPECT_FALSE(AdvanceTimer(*observation.next, five, std::nullopt, minutes(1)).has_value());

  RotationPolicy one = kPolicy;
  one.required_observations = 1;
  observation = Observe(Registry({Active(1), Pending(2, 2)}), Metadata(2), FixtureIdentity(), one,
                        Counting::kCounts, kNow);
  ASSERT_TRUE(observation.next.has_value());
  EXPECT_EQ(PendingOf(*observation.next)->stable_observation_count, 2);
  EXPECT_EQ(PendingOf(*observation.next)->stable_at_unix, kNow);
}

TEST(EncryptionWithTest, IsBlockedAboveTheActiveVersionOnly) {
  const RegistryState state = Registry({Active(2), Retired(1)});
  TransitKeyMetadata metadata = Metadata(3);
  for (const std::int64_t minimum : {0, 1, 2}) {
    metadata.min_encryption_version = minimum;
    EXPECT_EQ(EncryptionWith(state, metadata), Encryption::kOpen);
  }
  metadata.min_encryption_version = 3;
  EXPECT_EQ(EncryptionWith(state, metadata), Encryption::kBlocked);
  EXPECT_FALSE(Scheduled(state, metadata).failure.has_value()) << "observation goes on";
}

TEST(ActivationTimerTest, StartsWithAStableCandidateAndIsKept) {
  const RegistryState unstable = Registry({Active(1), Pending(2, 2)});
  EXPECT_FALSE(AdvanceTimer(unstable, kPolicy, std::nullopt, seconds(10)).has_value());
  const RegistryState stable = Registry({Active(1), Pending(2, 3, kNow)});
  const auto timer = AdvanceTimer(stable, kPolicy, std::nullopt, seconds(10));
  ASSERT_TRUE(timer.has_value());
  EXPECT_EQ(timer->started, seconds(10));
  EXPECT_EQ(AdvanceTimer(stable, kPolicy, timer, seconds(50)), timer);
}

TEST(ActivationTimerTest, IsResetByAnotherCandidateAndGoneWithoutOne) {
  const RegistryState two = Registry({Active(1), Pending(2, 3, kNow)});
  const RegistryState three = Registry({Active(1), Pending(3, 3, kNow), Retired(2)});
  const auto timer = AdvanceTimer(two, kPolicy, std::nullopt, seconds(10));
  const auto reset = AdvanceTimer(three, kPolicy, timer, seconds(50));
  ASSERT_TRUE(reset.has_value());
  EXPECT_EQ(reset->started, seconds(50));
  EXPECT_FALSE(AdvanceTimer(FirstState(), kPolicy, reset, seconds(60)).has_value());
}

TEST(ActivationTimerTest, IsDueAfterTheDelay) {
  const ActivationTimer timer{.candidate = Pending(2).key_id, .started = seconds(10)};
  EXPECT_FALSE(IsDue(std::nullopt, kPolicy, minutes(10)));
  EXPECT_FALSE(IsDue(timer, kPolicy, seconds(10) + minutes(2) - BootTime(1)));
  EXPECT_TRUE(IsDue(timer, kPolicy, seconds(10) + minutes(2)));
}

TEST(PromoteTest, MovesBothRecordsAndKeepsTheirHistory) {
  KeyRecord active = Active(1);
  active.promoted_at_unix = kObserved + 1;
  active.stable_observation_count = 3;
  active.stable_at_unix = kObserved + 1;
  const RegistryState before =
      Registry({active, Pending(3, 3, kObserved + 50), Retired(2), Removed(4)});
  const Promotion promotion = Promote(before, kNow);
  ASSERT_TRUE(promotion.next.has_value());
  EXPECT_EQ(Shape(*promotion.next), "3a 2r 1r 4x");
  EXPECT_EQ(promotion.next->contents().generation, 2U);
  EXPECT_EQ(promotion.next->contents().previous_hash, before.current_hash());

  const KeyRecord& promoted = promotion.next->active();
  EXPECT_EQ(promoted.promoted_at_unix, kNow);
  EXPECT_EQ(promoted.observed_at_unix, kObserved);
  EXPECT_EQ(promoted.stable_observation_count, 3);
  EXPECT_EQ(promoted.stable_at_unix, kObserved + 50);

  const KeyRecord& retired = *promotion.next->Find(active.key_id);
  EXPECT_EQ(retired.observed_at_unix, kObserved);
  EXPECT_EQ(retired.promoted_at_unix, kObserved + 1);
  EXPECT_EQ(retired.stable_observation_count, 0);
  EXPECT_EQ(retired.stable_at_unix, 0);
}

TEST(PromoteTest, NeverLetsTimesGoBackwards) {
  const Promotion promotion =
      Promote(Registry({Active(1), Pending(2, 3, kObserved + 50)}), kObserved - 9);
  ASSERT_TRUE(promotion.next.has_value());
  EXPECT_EQ(promotion.next->active().promoted_at_unix, kObserved + 50);
  EXPECT_EQ(promotion.clock, ClockOrder::kRegressed);
}

TEST(PromoteTest, RefusesToGoBackToASmallerVersion) {
  EXPECT_FALSE(Promote(Registry({Active(3), Pending(2, 3, kObserved)}), kNow).next.has_value());
}

TEST(RotationMachineTest, MakesTheFileThatTheOtherImplementationMakes) {
  RotationPolicy one = kPolicy;
  one.required_observations = 1;
  const RegistryState initial = FixtureState("computed/state-initial.v1alpha2.json");
  // The fixture's fingerprint is a placeholder, so the records are compared.
  contract::RegistryContents own = initial.contents();
  own.identity_fingerprint = contract::Fingerprint(FixtureIdentity()).value();
  const RegistryState state = contract::RegistryState::Create(own).value();
  const auto observed =
      Observe(state, Metadata(2), FixtureIdentity(), one, Counting::kCounts, 1'700'000'060);
  ASSERT_TRUE(observed.next.has_value());
  const Promotion promotion = Promote(*observed.next, 1'700'000'060);
  ASSERT_TRUE(promotion.next.has_value());
  EXPECT_EQ(promotion.next->contents().records,
            FixtureState("computed/state-rotated.v1alpha2.json").contents().records);

  const auto discovered = Observe(state, Metadata(2), FixtureIdentity(), kPolicy,
                                  Counting::kDoesNotCount, 1'700'000'060);
  EXPECT_EQ(discovered.next->contents().records,
            FixtureState("keyregistry/state-discovered-v2.json").contents().records);
}

}  // namespace
}  // namespace baokms::supervisor
