// Unknown key ids on Decrypt: never "unknown" for lack of looking, and never a change of Status.

#include "supervisor/status/discovery.h"

#include <memory>
#include <string>
#include <vector>

#include "common/contract/checkpoint.h"
#include "common/contract/registry_json.h"
#include "key_status_fixture.h"

namespace baokms::supervisor {
namespace {

using Outcome = DiscoveryOutcome;

// Well formed, and of no version that will ever be.
constexpr std::string_view kNobody = "obk2.AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

class DiscoveryTest : public KeyStatusTestBase {
 protected:
  void StartGood() {
    CreateAndStart();
    ASSERT_TRUE(Ready());
    scheduler_.Advance(seconds(6));  // the probe at start is too old to answer for
  }

  // Asks without letting anything happen; the answer appears later.
  std::shared_ptr<std::optional<Outcome>> Ask(std::string_view key_id, BootTime patience) {
    auto answer = std::make_shared<std::optional<Outcome>>();
    status_->Discover(key_id, scheduler_.Now(), scheduler_.Now() + patience,
                      [answer](Outcome outcome) { *answer = outcome; });
    return answer;
  }
};

TEST_F(DiscoveryTest, SaysUnknownOnlyAfterLooking) {
  StartGood();
  const std::size_t before = workers_.Count("metadata");
  EXPECT_EQ(Discover(kNobody), Outcome::kUnknown);
  EXPECT_EQ(workers_.Count("metadata"), before + 2) << "on both workers";
}

TEST_F(DiscoveryTest, OneWorkerCannotMakeAKeyUnknown) {
  StartGood();
  workers_.AddVersion();
  for (const Slot liar : {0U, 1U}) {
    workers_.faults.clear();
    workers_.faults[liar].lie = [](ipc::MetadataAnswer& answer) {
      FakeWorkerPool::ForgetNewest(answer);
      answer.set_latest_version(1);
    };
    EXPECT_EQ(Discover(KeyIdOf(2)), Outcome::kUnavailable) << liar;
  }
  workers_.faults.clear();
  EXPECT_EQ(Discover(KeyIdOf(2)), Outcome::kKnown);
}

TEST_F(DiscoveryTest, IsUnavailableWhileThereIsNoSecondWorkerToSayUnknown) {
  StartGood();
  workers_.ready = {0};
  EXPECT_EQ(Discover(kNobody), Outcome::kUnavailable);
  workers_.slots = 1;
  EXPECT_EQ(Discover(kNobody), Outcome::kUnknown) << "with one configured, its word counts";
}

TEST_F(DiscoveryTest, AnswersFromAReadThatIsYoungerThanFiveSeconds) {
  StartGood();
  const std::size_t before = workers_.Count("metadata");
  ASSERT_EQ(Discover(kNobody), Outcome::kUnknown);
  scheduler_.Advance(seconds(5) - milliseconds(1));
  EXPECT_EQ(Discover(KeyIdOf(7)), Outcome::kUnknown);
  EXPECT_EQ(workers_.Count("metadata"), before + 2);
  scheduler_.Advance(milliseconds(1));
  EXPECT_EQ(Discover(KeyIdOf(7)), Outcome::kUnknown);
  EXPECT_EQ(workers_.Count("metadata"), before + 4);
}

TEST_F(DiscoveryTest, DoesNotAnswerFromAScheduledProbeOfOneWorker) {
  StartGood();
  scheduler_.Advance(seconds(25));
  const std::size_t before = workers_.Count("metadata");
  EXPECT_EQ(Discover(kNobody), Outcome::kUnknown);
  EXPECT_EQ(workers_.Count("metadata"), before + 2);
}

TEST_F(DiscoveryTest, AnswersFromAScheduledProbeOfTheOnlyWorker) {
  StartGood();
  workers_.slots = 1;
  workers_.ready = {0};
  const std::size_t reads = workers_.Count("metadata");
  for (int second = 0; second < 60 && workers_.Count("metadata") == reads; ++second) {
    scheduler_.Advance(seconds(1));
  }
  const std::size_t before = workers_.Count("metadata");
  ASSERT_GT(before, reads) << "no scheduled probe";
  EXPECT_EQ(Discover(kNobody), Outcome::kUnknown);
  EXPECT_EQ(workers_.Count("metadata"), before);
}

TEST_F(DiscoveryTest, FindsAKeyThatAPeerAlreadyUses) {
  StartGood();
  workers_.AddVersion();
  EXPECT_EQ(Discover(KeyIdOf(2)), Outcome::kKnown);
  EXPECT_TRUE(status_->View()->decryptable.contains(KeyIdOf(2)));
  EXPECT_EQ(status_->View()->active_version, 1U);
  const contract::KeyRecord& pending = *PendingOf(*store_->current());
  EXPECT_EQ(pending.stable_observation_count, 0);
  EXPECT_EQ(pending.observed_at_unix, scheduler_.UnixNow());
  EXPECT_EQ(status_->Diagnose().rotation_state, "pending");
}

TEST_F(DiscoveryTest, FindsVersionsInBetweenAsRetired) {
  StartGood();
  workers_.AddVersion();
  workers_.AddVersion();
  EXPECT_EQ(Discover(KeyIdOf(2)), Outcome::kKnown);
  EXPECT_TRUE(status_->View()->decryptable.contains(KeyIdOf(3)));
  EXPECT_EQ(PendingOf(*store_->current())->version.number, 3);
}

TEST_F(DiscoveryTest, SavesBeforeItPublishesAndPublishesBeforeItAnswers) {
  StartGood();
  workers_.AddVersion();
  workers_.before_acknowledgement = [this] {
    EXPECT_NE(dir_.Read("reg.json").find(KeyIdOf(2)), std::string::npos);
    EXPECT_FALSE(status_->View()->decryptable.contains(KeyIdOf(2)));
  };
  workers_.latency = milliseconds(1);
  const auto answer = Ask(KeyIdOf(2), seconds(2));
  scheduler_.Advance(milliseconds(2));
  EXPECT_FALSE(answer->has_value()) << "read and confirmed, not yet acknowledged";
  scheduler_.Advance(milliseconds(1));
  EXPECT_EQ(*answer, Outcome::kKnown);
}

TEST_F(DiscoveryTest, IsUnavailableWhenTheReadFails) {
  StartGood();
  workers_.FailAll(ipc::OUTCOME_CONNECTION_FAILED);
  EXPECT_EQ(Discover(kNobody), Outcome::kUnavailable);
}

TEST_F(DiscoveryTest, IsUnavailableWhenTheChangeCannotBeConfirmed) {
  StartGood();
  workers_.AddVersion();
  workers_.ready = {0};
  EXPECT_EQ(Discover(KeyIdOf(2)), Outcome::kUnavailable);
  EXPECT_EQ(Discover(kNobody), Outcome::kUnavailable) << "it could be among the unconfirmed ones";
  EXPECT_EQ(store_->current()->contents().generation, 1U);
}

TEST_F(DiscoveryTest, IsUnavailableForAKeyThatWasSeenButNotConfirmedYet) {
  StartGood();
  scheduler_.Advance(seconds(22));
  EXPECT_EQ(Discover(kNobody), Outcome::kUnknown);
  workers_.AddVersion();
  workers_.ready = {0};
  scheduler_.Advance(seconds(3));
  ASSERT_EQ(status_->Diagnose().rotation_deferred, "second_worker_missing");
  EXPECT_EQ(Discover(KeyIdOf(2)), Outcome::kUnavailable)
      << "the read before the rotation is younger than five seconds";
}

TEST_F(DiscoveryTest, IsUnavailableWhenTheChangeCannotBeSaved) {
  StartGood();
  workers_.AddVersion();
  ops_.FailAt(1, FaultyFileOps::After::kIsDead);
  EXPECT_EQ(Discover(KeyIdOf(2)), Outcome::kUnavailable);
  EXPECT_FALSE(status_->View()->decryptable.contains(KeyIdOf(2)));
  EXPECT_TRUE(Ready()) << "discovery does not change Status";
  ops_.FailAt(FaultyFileOps::kNever, FaultyFileOps::After::kGoesOn);
  EXPECT_EQ(Discover(KeyIdOf(2)), Outcome::kKnown);
}

TEST_F(DiscoveryTest, NeverChangesStatus) {
  StartGood();
  const auto before = status_->View();
  for (const ipc::Outcome outcome : {ipc::OUTCOME_NOT_FOUND, ipc::OUTCOME_PERMISSION_DENIED}) {
    workers_.FailAll(outcome);
    EXPECT_EQ(Discover(kNobody), Outcome::kUnavailable);
    EXPECT_EQ(status_->View()->health, before->health);
  }
  workers_.faults.clear();
  scheduler_.Advance(seconds(5));
  ASSERT_EQ(Discover(kNobody), Outcome::kUnknown);
  EXPECT_EQ(status_->View()->metadata_at, before->metadata_at) << "nor makes it younger";
}

TEST_F(DiscoveryTest, WorksWhileStatusIsUnhealthy) {
  StartGood();
  for (const Slot slot : {0U, 1U}) {
    workers_.faults[slot].encrypt = ipc::OUTCOME_PERMISSION_DENIED;
  }
  scheduler_.Advance(minutes(5) + seconds(9));  // to where no probe has just read
  ASSERT_FALSE(Ready());
  workers_.AddVersion();
  EXPECT_EQ(Discover(KeyIdOf(2)), Outcome::kKnown);
}

TEST_F(DiscoveryTest, WorksWhileEncryptionIsBlocked) {
  StartGood();
  workers_.AddVersion();
  workers_.key.set_min_encryption_version(2);
  EXPECT_EQ(Discover(KeyIdOf(2)), Outcome::kKnown);
  scheduler_.Advance(seconds(6));
  EXPECT_EQ(Discover(kNobody), Outcome::kUnknown);
}

TEST_F(DiscoveryTest, WorksWhileTheBreakerIsOpen) {
  StartGood();
  workers_.FailAll(ipc::OUTCOME_CONNECTION_FAILED);
  scheduler_.Advance(seconds(24 + 8 + 60 + 1));
  const std::size_t before = workers_.Count("metadata");
  workers_.faults.clear();
  EXPECT_EQ(Discover(kNobody), Outcome::kUnknown);
  EXPECT_EQ(workers_.Count("metadata"), before + 2);
}

TEST_F(DiscoveryTest, SharesOneReadAmongAllThatWait) {
  StartGood();
  workers_.latency = milliseconds(100);
  const std::size_t before = workers_.Count("metadata");
  std::vector<std::shared_ptr<std::optional<Outcome>>> answers;
  for (int i = 0; i < 50; ++i) {
    answers.push_back(Ask(KeyIdOf(10 + i), seconds(2)));
    scheduler_.Advance(milliseconds(1));
  }
  scheduler_.Advance(milliseconds(200));
  for (const auto& answer : answers) {
    EXPECT_EQ(*answer, Outcome::kUnknown);
  }
  EXPECT_EQ(workers_.Count("metadata"), before + 2);
}

TEST_F(DiscoveryTest, ReadsAtMostThreeTimesAtOnceAndThenOncePerFiveSeconds) {
  StartGood();
  workers_.FailAll(ipc::OUTCOME_TIMEOUT);
  const std::size_t before = workers_.Count("metadata");
  for (int i = 0; i < 100; ++i) {
    EXPECT_EQ(Discover(kNobody), Outcome::kUnavailable);
  }
  EXPECT_EQ(workers_.Count("metadata"), before + 3);
  scheduler_.Advance(seconds(5));
  workers_.faults.clear();
  EXPECT_EQ(Discover(kNobody), Outcome::kUnknown);
}

TEST_F(DiscoveryTest, AnswersAtTheDeadlineWhenNothingElseDoes) {
  StartGood();
  workers_.latency = milliseconds(1500);
  const auto impatient = Ask(kNobody, seconds(1));
  const auto patient = Ask(kNobody, seconds(4));
  scheduler_.Advance(seconds(1));
  EXPECT_EQ(*impatient, Outcome::kUnavailable);
  EXPECT_FALSE(patient->has_value());
  scheduler_.Advance(seconds(2));
  EXPECT_EQ(*patient, Outcome::kUnknown) << "the read outlives the request that caused it";
}

TEST_F(DiscoveryTest, WaitsForTheGateAndUsesWhatTheProbeThatHadItFound) {
  StartGood();
  workers_.latency = milliseconds(500);
  workers_.AddVersion();
  scheduler_.Advance(seconds(24));  // the scheduled probe has begun
  const std::size_t before = workers_.Count("metadata");
  const auto answer = Ask(KeyIdOf(2), seconds(5));
  scheduler_.Advance(seconds(3));
  EXPECT_EQ(*answer, Outcome::kKnown);
  EXPECT_EQ(workers_.Count("metadata"), before + 1) << "only the probe's confirmation";
}

TEST_F(DiscoveryTest, KeepsARemovedKeyUnknownWithoutLooking) {
  contract::RegistryContents contents = WithPending(FirstState(), 2).contents();
  contents.records[0].state = contract::RecordState::kRemoved;
  contents.records[1].state = contract::RecordState::kActive;
  contents.active_key_id = contents.records[1].key_id;
  const auto state = contract::RegistryState::Create(contents).value();
  dir_.Write("reg.json", contract::SerializeState(state));
  Load();
  workers_.AddVersion();
  StartGood();
  const std::size_t before = workers_.Count("metadata");
  EXPECT_EQ(Discover(KeyIdOf(1)), Outcome::kUnknown);
  EXPECT_EQ(workers_.Count("metadata"), before);
}

TEST_F(DiscoveryTest, IsUnavailableWithoutARegistry) {
  workers_.AddVersion();
  CreateAndStart();
  EXPECT_EQ(Discover(kNobody), Outcome::kUnavailable);
}

TEST_F(DiscoveryTest, AnswersAQuestionWhoseTimeIsOver) {
  StartGood();
  EXPECT_EQ(Discover(kNobody, BootTime::zero()), Outcome::kUnavailable);
}

}  // namespace
}  // namespace baokms::supervisor
