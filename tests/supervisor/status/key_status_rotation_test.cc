// A rotation from the first look at the new version to its promotion, with everything that can come
// in between.

#include <string>

#include "common/contract/encoding.h"
#include "common/contract/limits.h"
#include "key_status_fixture.h"

namespace baokms::supervisor {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using Health = StatusView::Health;

class KeyStatusRotationTest : public KeyStatusTestBase {
 protected:
  void StartGood() {
    CreateAndStart();
    ASSERT_TRUE(Ready());
    scheduler_.Advance(seconds(10));
  }

  // Advances second by second until `version` is active; how long it took, or `limit`.
  BootTime TimeUntilActive(std::uint32_t version, BootTime limit) {
    const BootTime start = scheduler_.Now();
    while (status_->View()->active_version != version && scheduler_.Now() - start < limit) {
      scheduler_.Advance(seconds(1));
    }
    return scheduler_.Now() - start;
  }

  [[nodiscard]] std::int64_t Count() const {
    return PendingOf(*store_->current())->stable_observation_count;
  }
};

TEST_F(KeyStatusRotationTest, PromotesThreeToThreeAndAHalfMinutesLaterWithoutABlink) {
  Create();
  bool was_healthy = false;
  status_->SetOnChange([&] {
    was_healthy = was_healthy || Ready();
    EXPECT_EQ(Ready(), was_healthy) << "Status blinked";
  });
  status_->Start();
  scheduler_.RunDue();
  ASSERT_TRUE(was_healthy);
  workers_.latency = milliseconds(5);
  scheduler_.Advance(seconds(10));
  workers_.AddVersion();
  const BootTime took = TimeUntilActive(2, minutes(10));
  EXPECT_GE(took, minutes(3));
  EXPECT_LE(took, minutes(3) + seconds(31));
  EXPECT_TRUE(Ready());
  EXPECT_TRUE(status_->View()->decryptable.contains(KeyIdOf(1)));
  EXPECT_EQ(status_->View()->active_key_id, KeyIdOf(2));
  EXPECT_EQ(status_->View()->table_generation, workers_.tables.back().generation());

  const auto promoted = log_.Of("key.promoted");
  ASSERT_EQ(promoted.size(), 1U);
  EXPECT_EQ(promoted[0].level, LogLevel::kInfo);
  EXPECT_EQ(FakeLog::Text(promoted[0], "key_id_hash"), contract::HashText(KeyIdOf(2)));
  EXPECT_EQ(FakeLog::Text(promoted[0], "previous_key_id_hash"), contract::HashText(KeyIdOf(1)));
  scheduler_.Advance(minutes(30));
  EXPECT_EQ(log_.Of("key.promoted").size(), 1U);
  EXPECT_EQ(store_->current()->active().version.number, 2);
}

TEST_F(KeyStatusRotationTest, ProbesTheCandidateOnTwoWorkersBeforeItIsPublished) {
  StartGood();
  workers_.AddVersion();
  workers_.before_acknowledgement = [this] {
    if (workers_.tables.back().active_key_id() == KeyIdOf(2)) {
      EXPECT_EQ(store_->current()->active().version.number, 2) << "saved first";
      EXPECT_EQ(status_->View()->active_version, 1U) << "shown last";
      bool encrypted = false;
      bool decrypted = false;
      for (const auto& call : workers_.calls) {
        encrypted = encrypted || (call.operation == "encrypt" && call.version == 2);
        decrypted = decrypted || (call.operation == "decrypt" && call.version == 2);
      }
      EXPECT_TRUE(encrypted && decrypted);
    }
  };
  EXPECT_LT(TimeUntilActive(2, minutes(10)), minutes(4));
}

TEST_F(KeyStatusRotationTest, LetsThePendingKeyDecryptLongBeforeItEncrypts) {
  StartGood();
  workers_.AddVersion();
  scheduler_.Advance(seconds(30));
  EXPECT_TRUE(status_->View()->decryptable.contains(KeyIdOf(2)));
  EXPECT_EQ(status_->View()->active_version, 1U);
  EXPECT_EQ(workers_.tables.back().active_key_id(), KeyIdOf(1));
  EXPECT_EQ(status_->Diagnose().rotation_state, "pending");
}

TEST_F(KeyStatusRotationTest, GoesOnWithTheOldKeyWhileTheCandidateFailsItsProbe) {
  StartGood();
  workers_.AddVersion();
  scheduler_.Advance(minutes(2));
  // Right for nobody but version 1.
  workers_.faults[0].ciphertext = workers_.faults[1].ciphertext = "vault:v1:AAAA";
  scheduler_.Advance(minutes(2));
  EXPECT_EQ(status_->View()->active_version, 1U);
  EXPECT_TRUE(Ready());
  workers_.faults.clear();
  EXPECT_LE(TimeUntilActive(2, minutes(10)), seconds(31));
  EXPECT_EQ(log_.Of("key.promoted").size(), 1U);
}

TEST_F(KeyStatusRotationTest, DoesNotPromoteWhatOnlyOneWorkerCouldUse) {
  StartGood();
  workers_.AddVersion();
  scheduler_.Advance(minutes(2));
  workers_.faults[1].lie = [this](ipc::MetadataAnswer&) {
    workers_.ready = {0};
  };  // its last words
  scheduler_.Advance(minutes(2));
  EXPECT_EQ(status_->View()->active_version, 1U);
  EXPECT_TRUE(Ready());
  workers_.faults.clear();
  workers_.ready = {0, 1};
  EXPECT_LE(TimeUntilActive(2, minutes(10)), seconds(31));
}

TEST_F(KeyStatusRotationTest, StartsTheDelayAgainAfterARestart) {
  StartGood();
  workers_.AddVersion();
  scheduler_.Advance(minutes(3));
  ASSERT_EQ(Count(), 3);
  ASSERT_EQ(status_->View()->active_version, 1U);
  Restart();
  EXPECT_EQ(status_->View()->active_version, 1U);
  const BootTime took = TimeUntilActive(2, minutes(10));
  EXPECT_GE(took, minutes(2));
  EXPECT_LE(took, minutes(2) + seconds(31));
}

TEST_F(KeyStatusRotationTest, StartsTheDelayAgainWithAnotherCandidate) {
  StartGood();
  workers_.AddVersion();
  scheduler_.Advance(minutes(3));
  workers_.AddVersion();
  EXPECT_GE(TimeUntilActive(3, minutes(10)), minutes(3));
  EXPECT_TRUE(status_->View()->decryptable.contains(KeyIdOf(2)));
  EXPECT_EQ(log_.Of("key.promoted").size(), 1U) << "version 2 was never active";
}

TEST_F(KeyStatusRotationTest, PromotesInTheProbeThatReachesStabilityWithoutADelay) {
  options_.rotation = {.required_observations = 2, .activation_delay = BootTime::zero()};
  StartGood();
  workers_.AddVersion();
  scheduler_.Advance(seconds(21));
  EXPECT_EQ(status_->View()->active_version, 1U);
  scheduler_.Advance(seconds(30));
  EXPECT_EQ(status_->View()->active_version, 2U);
}

TEST_F(KeyStatusRotationTest, CountsOncePerIntervalHoweverOftenItProbes) {
  StartGood();
  for (const Slot slot : {0U, 1U}) {
    workers_.faults[slot].encrypt = ipc::OUTCOME_PERMISSION_DENIED;
  }
  scheduler_.Advance(minutes(5));
  ASSERT_FALSE(Ready());  // so that every usable worker makes a round
  workers_.AddVersion();
  status_->OnWorkerUsable();
  scheduler_.RunDue();
  ASSERT_EQ(Count(), 1);
  const std::size_t before = workers_.Count("metadata");
  for (int i = 0; i < 10; ++i) {
    scheduler_.Advance(seconds(1));
    status_->OnWorkerUsable();
  }
  scheduler_.RunDue();
  EXPECT_GE(workers_.Count("metadata"), before + 10);
  EXPECT_EQ(Count(), 1);
}

TEST_F(KeyStatusRotationTest, PromotesOnlyOnTheWordOfTwoWorkers) {
  StartGood();
  workers_.AddVersion();
  scheduler_.Advance(minutes(2));
  ASSERT_EQ(Count(), 3);
  workers_.ready = {0};
  scheduler_.Advance(minutes(10));
  EXPECT_EQ(status_->View()->active_version, 1U);
  EXPECT_EQ(status_->Diagnose().rotation_deferred, "second_worker_missing");
  workers_.ready = {0, 1};
  status_->OnWorkerUsable();
  scheduler_.RunDue();
  EXPECT_EQ(status_->View()->active_version, 2U);
}

TEST_F(KeyStatusRotationTest, WaitsForASecondWorker) {
  StartGood();
  workers_.ready = {0};
  workers_.AddVersion();
  scheduler_.Advance(minutes(10));
  EXPECT_TRUE(Ready());
  EXPECT_EQ(status_->Diagnose().rotation_deferred, "second_worker_missing");
  EXPECT_EQ(store_->current()->contents().generation, 1U);
  workers_.ready = {0, 1};
  status_->OnWorkerUsable();
  scheduler_.RunDue();
  EXPECT_EQ(Count(), 1);
  EXPECT_EQ(status_->Diagnose().rotation_deferred, "");
}

TEST_F(KeyStatusRotationTest, WaitsUntilBothWorkersSeeTheSame) {
  StartGood();
  workers_.AddVersion();
  workers_.faults[1].lie = [](ipc::MetadataAnswer& answer) {
    answer.set_latest_version(1);
    FakeWorkerPool::ForgetNewest(answer);
  };
  scheduler_.Advance(minutes(10));
  EXPECT_TRUE(Ready());
  EXPECT_EQ(store_->current()->contents().generation, 1U);
  workers_.faults.clear();
  EXPECT_LE(TimeUntilActive(2, minutes(10)), minutes(4));
}

TEST_F(KeyStatusRotationTest, IsUnhealthyWhileEncryptionIsBlockedAndGoodAfterPromotion) {
  StartGood();
  workers_.AddVersion();
  workers_.key.set_min_encryption_version(2);
  scheduler_.Advance(seconds(30));
  EXPECT_THAT(status_->Diagnose().reasons, ElementsAre("encryption_blocked"));
  EXPECT_TRUE(status_->View()->decryptable.contains(KeyIdOf(1)));
  EXPECT_LE(TimeUntilActive(2, minutes(10)), minutes(4));
  EXPECT_TRUE(Ready());
}

TEST_F(KeyStatusRotationTest, FailsOnRollbackAndRecovers) {
  options_.rotation.activation_delay = BootTime::zero();
  options_.rotation.required_observations = 1;
  StartGood();
  const ipc::MetadataAnswer old = workers_.key;
  workers_.AddVersion();
  const ipc::MetadataAnswer rotated = workers_.key;
  scheduler_.Advance(seconds(30));
  ASSERT_EQ(status_->View()->active_version, 2U);
  workers_.key = old;
  scheduler_.Advance(seconds(30));
  EXPECT_THAT(status_->Diagnose().reasons, ElementsAre("version_rollback"));
  EXPECT_EQ(status_->View()->active_version, 2U);
  EXPECT_EQ(status_->View()->decryptable.size(), 2U);
  workers_.key = rotated;
  scheduler_.Advance(seconds(31));
  EXPECT_TRUE(Ready());
}

TEST_F(KeyStatusRotationTest, IsUnhealthyWhenARetiredKeyMayNoLongerDecrypt) {
  options_.rotation.activation_delay = BootTime::zero();
  options_.rotation.required_observations = 1;
  StartGood();
  workers_.AddVersion();
  scheduler_.Advance(seconds(30));
  workers_.key.set_min_decryption_version(2);
  scheduler_.Advance(seconds(30));
  EXPECT_FALSE(Ready());
  EXPECT_TRUE(status_->View()->decryptable.contains(KeyIdOf(1))) << "Decrypt says it itself";
}

TEST_F(KeyStatusRotationTest, GoesOnWithTheActiveVersionWhenTheRegistryIsFull) {
  constexpr auto kMax = static_cast<std::uint32_t>(contract::kMaxKeyRecords);
  StartGood();
  EXPECT_CALL(metrics_, RegistryRecords(::testing::Ne(kMax))).Times(::testing::AnyNumber());
  EXPECT_CALL(metrics_, RegistryRecords(kMax)).Times(::testing::AtLeast(1));
  while (workers_.key.latest_version() < kMax) {
    workers_.AddVersion();
  }
  ASSERT_LE(TimeUntilActive(kMax, minutes(10)), minutes(5));
  EXPECT_THAT(status_->Diagnose().finding, ::testing::HasSubstr("holds 16384 of at most 16384"));
  EXPECT_EQ(log_.Of("key.finding").back().level, LogLevel::kWarn);
  workers_.AddVersion();
  scheduler_.Advance(minutes(5));
  EXPECT_TRUE(Ready());
  EXPECT_EQ(status_->View()->active_version, kMax);
  EXPECT_EQ(status_->Diagnose().rotation_deferred, "registry_full");
  EXPECT_THAT(status_->Diagnose().finding, ::testing::HasSubstr("version 16385 is not used here"));
  // Another node may have encrypted with it: never called unknown.
  EXPECT_EQ(Discover(KeyIdOf(kMax + 1)), DiscoveryOutcome::kUnavailable);
}

TEST_F(KeyStatusRotationTest, StaysGoodButDegradedWhenOnlyBookkeepingCannotBeSaved) {
  StartGood();
  workers_.AddVersion();
  scheduler_.Advance(seconds(20));
  ASSERT_EQ(Count(), 1);
  ops_.FailAt(1, FaultyFileOps::After::kIsDead);
  EXPECT_CALL(metrics_, PersistenceDegraded(1)).Times(::testing::AtLeast(1));
  EXPECT_CALL(metrics_, PersistenceDegraded(0)).Times(::testing::AnyNumber());
  scheduler_.Advance(minutes(5));
  EXPECT_TRUE(Ready());
  EXPECT_TRUE(status_->Diagnose().persistence_degraded);
  EXPECT_EQ(status_->View()->active_version, 1U) << "what is not durable is not promoted";
  ops_.FailAt(FaultyFileOps::kNever, FaultyFileOps::After::kGoesOn);
  scheduler_.Advance(seconds(31));
  EXPECT_FALSE(status_->Diagnose().persistence_degraded);
  EXPECT_GE(Count(), 2);
  EXPECT_LE(TimeUntilActive(2, minutes(10)), minutes(4));
}

TEST_F(KeyStatusRotationTest, IsUnhealthyWhenBookkeepingCannotBeSavedAndTheDiskIsNotTheOldOne) {
  StartGood();
  workers_.AddVersion();
  scheduler_.Advance(seconds(20));
  ops_.FailAt(7, FaultyFileOps::After::kIsDead);  // after the rename: the new file is there
  scheduler_.Advance(seconds(30));
  EXPECT_FALSE(Ready());
  EXPECT_THAT(status_->Diagnose().reasons, Contains("state_save_failed"));
  ops_.FailAt(FaultyFileOps::kNever, FaultyFileOps::After::kGoesOn);
  scheduler_.Advance(seconds(31));
  EXPECT_TRUE(Ready());
}

TEST_F(KeyStatusRotationTest, IsUnhealthyWhenNewKeysCannotBeSaved) {
  StartGood();
  workers_.AddVersion();
  ops_.FailAt(1, FaultyFileOps::After::kIsDead);
  scheduler_.Advance(seconds(20));
  EXPECT_FALSE(Ready());
  EXPECT_THAT(status_->Diagnose().reasons, Contains("state_save_failed"));
  EXPECT_FALSE(status_->View()->decryptable.contains(KeyIdOf(2)));
  ops_.FailAt(FaultyFileOps::kNever, FaultyFileOps::After::kGoesOn);
  scheduler_.Advance(seconds(31));
  EXPECT_TRUE(Ready());
  EXPECT_TRUE(status_->View()->decryptable.contains(KeyIdOf(2)));
}

TEST_F(KeyStatusRotationTest, FinishesAPromotionThatCouldNotBeSaved) {
  StartGood();
  workers_.AddVersion();
  scheduler_.Advance(minutes(3) + seconds(10));
  ASSERT_EQ(Count(), 3);
  ops_.FailAt(1, FaultyFileOps::After::kIsDead);
  scheduler_.Advance(seconds(35));
  EXPECT_EQ(status_->View()->active_version, 1U);
  EXPECT_FALSE(Ready());
  EXPECT_TRUE(log_.Of("key.promoted").empty());
  ops_.FailAt(FaultyFileOps::kNever, FaultyFileOps::After::kGoesOn);
  scheduler_.Advance(seconds(31));
  EXPECT_EQ(status_->View()->active_version, 2U);
  EXPECT_TRUE(Ready());
  EXPECT_EQ(log_.Of("key.promoted").size(), 1U);
}

TEST_F(KeyStatusRotationTest, FloorsAWallClockThatStepsBackAndSaysSo) {
  StartGood();
  workers_.AddVersion();
  scheduler_.Advance(seconds(30));
  const std::int64_t observed = PendingOf(*store_->current())->observed_at_unix;
  scheduler_.StepWallClock(-100'000);
  EXPECT_LE(TimeUntilActive(2, minutes(10)), minutes(4));
  const auto& active = store_->current()->active();
  EXPECT_EQ(active.stable_at_unix, observed);
  EXPECT_EQ(active.promoted_at_unix, observed);
  EXPECT_EQ(log_.Of("clock.regressed").size(), 2U);  // when stable and when promoted
  EXPECT_EQ(FakeLog::Text(log_.Of("clock.regressed")[0], "reason"), "timestamp_order_preserved");
}

TEST_F(KeyStatusRotationTest, LeavesTheDiskAloneOnceStable) {
  options_.rotation.activation_delay = std::chrono::hours(10);
  StartGood();
  workers_.AddVersion();
  scheduler_.Advance(minutes(2));
  ASSERT_EQ(Count(), 3);
  ops_.FailAt(0, FaultyFileOps::After::kIsDead);
  scheduler_.Advance(std::chrono::hours(1));
  EXPECT_EQ(ops_.count(), 0U);
  EXPECT_TRUE(Ready());
}

TEST_F(KeyStatusRotationTest, SurvivesAFlippingBackendWithoutGoingBack) {
  StartGood();
  const ipc::MetadataAnswer old = workers_.key;
  workers_.AddVersion();
  const ipc::MetadataAnswer rotated = workers_.key;
  scheduler_.Advance(seconds(30));
  for (int i = 0; i < 20; ++i) {
    workers_.key = i % 3 == 0 ? old : rotated;
    scheduler_.Advance(seconds(30));
    EXPECT_TRUE(status_->View()->decryptable.contains(KeyIdOf(2)));
  }
  workers_.key = rotated;
  EXPECT_LE(TimeUntilActive(2, minutes(10)), minutes(4));
}

}  // namespace
}  // namespace baokms::supervisor
