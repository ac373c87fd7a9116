// Start, first state, and what a good node looks like.

#include "supervisor/status/key_status.h"

#include <string>

#include "common/contract/encoding.h"
#include "common/contract/registry_json.h"
#include "key_status_fixture.h"

namespace baokms::supervisor {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using Health = StatusView::Health;

class KeyStatusTest : public KeyStatusTestBase {
 protected:
  void SaveFirst() { ASSERT_TRUE(store_->Save(FirstState()).has_value()); }
};

TEST_F(KeyStatusTest, IsHealthyAtOnceWhenWorkersAndKeyAre) {
  CreateAndStart();
  ExpectHealth(Health::kOk);
  const auto view = status_->View();
  EXPECT_EQ(view->active_key_id, KeyIdOf(1));
  EXPECT_EQ(view->active_version, 1U);
  EXPECT_EQ(view->table_generation, workers_.tables.back().generation());
  EXPECT_TRUE(view->decryptable.contains(KeyIdOf(1)));

  const Diagnostics diagnostics = status_->Diagnose();
  EXPECT_TRUE(diagnostics.ready);
  EXPECT_THAT(diagnostics.reasons, IsEmpty());
  EXPECT_EQ(diagnostics.healthz, "ok");
  EXPECT_EQ(diagnostics.rotation_state, "active");
  EXPECT_EQ(diagnostics.key_id_hash, contract::HashText(KeyIdOf(1)));
  EXPECT_EQ(diagnostics.transit_key_version, 1U);
}

TEST_F(KeyStatusTest, SaysUnavailableBeforeAnythingWasFound) {
  workers_.ready = {};
  CreateAndStart();
  ExpectHealth(Health::kUnavailable);
  EXPECT_THAT(status_->Diagnose().reasons, ElementsAre("state_unavailable", "metadata_unverified"));
  EXPECT_EQ(status_->Diagnose().rotation_state, "unknown");
  EXPECT_EQ(status_->Diagnose().cache_age_ms, 0);
}

TEST_F(KeyStatusTest, OffersAnEmptyTableSoThatWorkersBecomeReady) {
  workers_.ready = {};
  CreateAndStart();
  ASSERT_EQ(workers_.tables.size(), 1U);
  EXPECT_EQ(workers_.tables[0].generation(), 1U);
  EXPECT_EQ(workers_.tables[0].versions().version_size(), 0);
}

TEST_F(KeyStatusTest, ProbesAsSoonAsAWorkerIsUsable) {
  workers_.ready = {};
  workers_.latency = milliseconds(1);
  CreateAndStart();
  scheduler_.Advance(milliseconds(40));
  workers_.ready = {0, 1};
  status_->OnWorkerUsable();
  scheduler_.Advance(milliseconds(10));
  EXPECT_TRUE(Ready());
}

TEST_F(KeyStatusTest, LetsAValidRegistryDecryptBeforeAnyWorkerOrAnswer) {
  SaveFirst();
  workers_.ready = {};
  Create();
  const auto view = status_->View();
  EXPECT_EQ(view->health, Health::kUnavailable);
  EXPECT_TRUE(view->decryptable.contains(KeyIdOf(1)));
  EXPECT_EQ(view->active_key_id, KeyIdOf(1));
  ASSERT_EQ(workers_.tables.size(), 1U);
  EXPECT_EQ(workers_.tables[0].active_key_id(), KeyIdOf(1));
}

TEST_F(KeyStatusTest, DoesNotWriteWhenNothingChanges) {
  SaveFirst();
  ops_.FailAt(0, FaultyFileOps::After::kIsDead);
  CreateAndStart();
  scheduler_.Advance(minutes(30));
  EXPECT_TRUE(Ready());
  EXPECT_EQ(ops_.count(), 0U);
}

TEST_F(KeyStatusTest, WritesTheFirstStateBeforeItIsPublished) {
  workers_.before_acknowledgement = [this] {
    if (workers_.tables.back().versions().version_size() > 0) {
      EXPECT_TRUE(dir_.Has("reg.json"));
      EXPECT_TRUE(dir_.Has("reg.json.checkpoint"));
      EXPECT_FALSE(status_->View()->decryptable.contains(KeyIdOf(1)))
          << "shown before the workers know it";
    }
  };
  CreateAndStart();
  ASSERT_TRUE(Ready());
  const auto& record = store_->current()->active();
  EXPECT_EQ(record.observed_at_unix, scheduler_.UnixNow());
  EXPECT_EQ(record.promoted_at_unix, scheduler_.UnixNow());
  EXPECT_EQ(record.stable_observation_count, 0);
  EXPECT_EQ(store_->current()->contents().generation, 1U);
}

TEST_F(KeyStatusTest, BuildsTheFirstStateOnlyOnTheWordOfTwoWorkers) {
  workers_.ready = {0};
  CreateAndStart();
  scheduler_.Advance(seconds(59));
  EXPECT_FALSE(dir_.Has("reg.json"));
  EXPECT_EQ(status_->Diagnose().rotation_deferred, "second_worker_missing");
  EXPECT_EQ(log_.Of("rotation.deferred").size(), 1U) << "said once, not at every probe";

  workers_.ready = {0, 1};
  status_->OnWorkerUsable();
  scheduler_.RunDue();
  EXPECT_TRUE(Ready());
  EXPECT_EQ(status_->Diagnose().rotation_deferred, "");
}

TEST_F(KeyStatusTest, TakesOneWorkersWordForTheFirstStateAfterTheGraceTimeout) {
  workers_.ready = {0};
  CreateAndStart();
  scheduler_.Advance(seconds(61));
  EXPECT_TRUE(Ready());
  EXPECT_TRUE(dir_.Has("reg.json"));
}

TEST_F(KeyStatusTest, DoesNotWaitLongerForASecondWorkerThatFails) {
  workers_.faults[1].metadata = ipc::OUTCOME_AUTH_FAILED;
  CreateAndStart();
  scheduler_.Advance(seconds(59));
  EXPECT_FALSE(dir_.Has("reg.json"));
  scheduler_.Advance(seconds(2));
  EXPECT_TRUE(dir_.Has("reg.json"));
}

TEST_F(KeyStatusTest, NeverTakesOneWorkersWordAgainstAnothers) {
  workers_.faults[1].lie = [](ipc::MetadataAnswer& answer) {
    answer.mutable_versions()->set_created_unix(0, 1'700'000'061);
  };
  CreateAndStart();
  scheduler_.Advance(minutes(10));
  EXPECT_FALSE(dir_.Has("reg.json"));
  EXPECT_FALSE(Ready());
  ASSERT_FALSE(log_.Of("rotation.deferred").empty());
  EXPECT_EQ(FakeLog::Text(log_.Of("rotation.deferred")[0], "reason"), "workers_disagree");
}

TEST_F(KeyStatusTest, RefusesToStartOverWithARotatedKey) {
  workers_.AddVersion();
  CreateAndStart();
  scheduler_.Advance(minutes(5));
  EXPECT_FALSE(dir_.Has("reg.json"));
  ExpectHealth(Health::kUnhealthy);
  EXPECT_THAT(status_->Diagnose().reasons, ElementsAre("state_unavailable"));
}

TEST_F(KeyStatusTest, FinishesAFirstStateThatCouldNotBeSaved) {
  ops_.FailAt(1, FaultyFileOps::After::kIsDead);
  CreateAndStart();
  EXPECT_THAT(status_->Diagnose().reasons, Contains("state_save_failed"));
  EXPECT_TRUE(status_->View()->decryptable.empty());
  ops_.FailAt(FaultyFileOps::kNever, FaultyFileOps::After::kGoesOn);
  scheduler_.Advance(seconds(2));
  EXPECT_TRUE(Ready());
}

TEST_F(KeyStatusTest, EncryptsOnOneWorkerAndDecryptsOnAnother) {
  CreateAndStart();
  std::optional<Slot> encrypted;
  for (const auto& call : workers_.calls) {
    if (call.operation == "encrypt") {
      encrypted = call.slot;
    }
    if (call.operation == "decrypt") {
      EXPECT_NE(encrypted, call.slot);
    }
  }
  EXPECT_EQ(workers_.Count("decrypt"), 1U);
}

TEST_F(KeyStatusTest, UsesTheSameWorkerForBothWhenThereIsOnlyOne) {
  SaveFirst();
  workers_.ready = {1};
  CreateAndStart();
  EXPECT_TRUE(Ready());
  EXPECT_EQ(workers_.Count("decrypt"), 1U);
}

TEST_F(KeyStatusTest, ProbesAtTheConfiguredIntervals) {
  CreateAndStart();
  const std::size_t metadata = workers_.Count("metadata");
  const std::size_t deep = workers_.Count("encrypt");
  scheduler_.Advance(minutes(10) + seconds(1));
  EXPECT_EQ(workers_.Count("metadata") - metadata, 20U);
  EXPECT_EQ(workers_.Count("encrypt") - deep, 2U);
}

TEST_F(KeyStatusTest, ProbesDeeplyBetweenMetadataProbesWhenThatIsAskedFor) {
  options_.deep_probe_interval = seconds(10);
  CreateAndStart();
  const std::size_t metadata = workers_.Count("metadata");
  const std::size_t deep = workers_.Count("encrypt");
  scheduler_.Advance(minutes(1) + seconds(1));
  EXPECT_EQ(workers_.Count("metadata") - metadata, 2U);
  EXPECT_GE(workers_.Count("encrypt") - deep, 5U);
}

TEST_F(KeyStatusTest, TellsItsListenerAboutEachChange) {
  int changes = 0;
  Create();
  status_->SetOnChange([&] { ++changes; });
  status_->Start();
  scheduler_.RunDue();
  EXPECT_GE(changes, 2);
}

TEST_F(KeyStatusTest, LogsAndCountsProbes) {
  EXPECT_CALL(metrics_, MetadataObservation(std::string_view("ok"))).Times(1);
  EXPECT_CALL(metrics_, ActiveKey(std::string_view(KeyIdOf(1)), 1U)).Times(1);
  CreateAndStart();
  const auto probes = log_.Of("status.probe");
  ASSERT_EQ(probes.size(), 2U);
  EXPECT_EQ(probes[0].level, LogLevel::kDebug);
  EXPECT_EQ(FakeLog::Text(probes[0], "probe_kind"), "metadata");
  EXPECT_EQ(FakeLog::Text(probes[0], "status"), "ok");
  EXPECT_EQ(FakeLog::Text(probes[1], "probe_kind"), "deep");
}

}  // namespace
}  // namespace baokms::supervisor
