#include "supervisor/workers/request_scheduler.h"

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "proto/ipc.pb.h"
#include "supervisor/workers/operation.h"

namespace baokms::supervisor {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;
using Suspicion = RequestScheduler::Suspicion;

constexpr BootTime kNow = std::chrono::seconds(100);
constexpr BootTime kDeadline = std::chrono::seconds(102);
constexpr std::size_t kDecryptKind = 1;

OperationPtr Make(OperationId id, WorkerChoice choice = {}, const std::string& what = "") {
  auto operation = std::make_shared<Operation>();
  operation->id = id;
  operation->type = ipc::MessageType::kDecryptRequest;
  operation->choice = choice;
  operation->deadline = kDeadline;
  operation->done = OnReply<ipc::DecryptAnswer>([](const Reply<ipc::DecryptAnswer>&) {});
  ipc::DecryptRequest request;
  request.set_id(id);
  request.set_ciphertext(what.empty() ? std::to_string(id) : what);
  operation->request = HoldRequest(request);
  return operation;
}

std::vector<Slot> SlotsOf(const RequestScheduler::Steps& steps) {
  std::vector<Slot> slots;
  for (const RequestScheduler::Send& send : steps.sends) {
    slots.push_back(send.slot);
  }
  return slots;
}

std::vector<ipc::Outcome> OutcomesOf(const RequestScheduler::Steps& steps) {
  std::vector<ipc::Outcome> outcomes;
  for (const RequestScheduler::Ended& ended : steps.ended) {
    outcomes.push_back(ended.outcome);
  }
  return outcomes;
}

class RequestSchedulerTest : public ::testing::Test {
 protected:
  void AllReady() {
    schedule_.WorkerReady(0, kNow);
    schedule_.WorkerReady(1, kNow);
    schedule_.WorkerReady(2, kNow);
  }

  RequestScheduler schedule_{3};
};

TEST_F(RequestSchedulerTest, SpreadsEvenlyAndPrefersTheLeastBusy) {
  AllReady();
  std::vector<Slot> slots;
  for (OperationId id = 1; id <= 3; ++id) {
    slots.push_back(SlotsOf(schedule_.Submit(Make(id), kNow)).at(0));
  }
  EXPECT_THAT(slots, ::testing::UnorderedElementsAre(0U, 1U, 2U));
  ASSERT_TRUE(schedule_.Answer(slots[1], 2, kDecryptKind, kNow).has_value());
  EXPECT_THAT(SlotsOf(schedule_.Submit(Make(4), kNow)), ElementsAre(slots[1]));
}

TEST_F(RequestSchedulerTest, StaysWithTheLastOneWhenAllAreIdle) {
  AllReady();
  const Slot first = SlotsOf(schedule_.Submit(Make(1), kNow)).at(0);
  ASSERT_TRUE(schedule_.Answer(first, 1, kDecryptKind, kNow).has_value());
  // What asks for another worker does not change it: the second half of an Encrypt.
  const Slot other = SlotsOf(schedule_.Submit(Make(2, {.not_this = first}), kNow)).at(0);
  EXPECT_NE(other, first);
  ASSERT_TRUE(schedule_.Answer(other, 2, kDecryptKind, kNow).has_value());
  EXPECT_THAT(SlotsOf(schedule_.Submit(Make(3), kNow)), ElementsAre(first));
}

TEST_F(RequestSchedulerTest, StuckWorkerDoesNotLookIdle) {
  schedule_.WorkerReady(0, kNow);
  schedule_.Submit(Make(1), kNow);
  schedule_.Expire(kDeadline);
  schedule_.WorkerReady(1, kNow);
  for (OperationId id = 2; id <= 4; ++id) {
    EXPECT_THAT(SlotsOf(schedule_.Submit(Make(id), kNow)), ElementsAre(1U));
    ASSERT_TRUE(schedule_.Answer(1, id, kDecryptKind, kNow).has_value());
  }
}

// Two workers of which the first hangs: it was given two requests and let them expire.
class HangingWorkerTest : public RequestSchedulerTest {
 protected:
  static constexpr BootTime kLater = kDeadline + BootTime(1);

  HangingWorkerTest() {
    schedule_.WorkerReady(0, kNow);
    schedule_.Submit(Make(1), kNow);
    schedule_.Submit(Make(2), kNow);
    schedule_.Expire(kDeadline);
    schedule_.WorkerReady(1, kDeadline);
  }

  std::vector<Slot> SlotsOfNext(WorkerChoice choice = {}) {
    const OperationPtr operation = Make(++last_id_, choice);
    operation->deadline = kLater + kDeadline;
    return SlotsOf(schedule_.Submit(operation, kLater));
  }

  OperationId last_id_ = 10;
};

TEST_F(HangingWorkerTest, GetsNothingWhileAnotherOneAnswers) {
  for (int i = 0; i < 20; ++i) {  // far more than it owes
    EXPECT_THAT(SlotsOfNext(), ElementsAre(1U));
  }
}

TEST_F(HangingWorkerTest, IsTrustedAgainWithItsNextAnswer) {
  EXPECT_THAT(SlotsOfNext(), ElementsAre(1U));
  EXPECT_THAT(SlotsOfNext(), ElementsAre(1U));
  EXPECT_THAT(SlotsOfNext(), ElementsAre(1U));
  ASSERT_TRUE(schedule_.Answer(0, 1, kDecryptKind, kLater).has_value());
  EXPECT_THAT(SlotsOfNext(), ElementsAre(0U));
}

TEST_F(HangingWorkerTest, IsTriedWhenThereIsNoOther) {
  schedule_.WorkerGone(1, Suspicion::kNone, kLater);
  EXPECT_THAT(SlotsOfNext(), ElementsAre(0U));
}

TEST_F(HangingWorkerTest, DoesNotHoldUpWhatTheSameWorkerMayDo) {
  EXPECT_THAT(SlotsOfNext({.not_this = 1, .fallback = WorkerChoice::Fallback::kSameWorker}),
              ElementsAre(1U));
  EXPECT_THAT(SlotsOfNext({.not_this = 1}), ElementsAre(0U));
}

TEST_F(RequestSchedulerTest, WorkerThatMayStillAnswerTheCancellationDoesNotHang) {
  schedule_.WorkerReady(0, kNow);
  schedule_.Submit(Make(1), kNow);
  schedule_.Cancel(1, kNow);
  schedule_.WorkerReady(1, kNow);
  EXPECT_THAT(SlotsOf(schedule_.Submit(Make(2), kNow)), ElementsAre(1U));
  EXPECT_THAT(SlotsOf(schedule_.Submit(Make(3), kNow)), ElementsAre(1U));
  EXPECT_THAT(SlotsOf(schedule_.Submit(Make(4), kNow)), ElementsAre(0U));
  const BootTime silent = kNow + RequestScheduler::kSilence;
  EXPECT_THAT(SlotsOf(schedule_.Submit(Make(5), silent)), ElementsAre(1U));
  EXPECT_THAT(SlotsOf(schedule_.Submit(Make(6), silent)), ElementsAre(1U));
}

TEST_F(RequestSchedulerTest, OnlyThisWorkerOrNone) {
  schedule_.WorkerReady(1, kNow);
  EXPECT_THAT(OutcomesOf(schedule_.Submit(Make(1, {.only = 0}), kNow)),
              ElementsAre(ipc::OUTCOME_UNAVAILABLE));
  EXPECT_THAT(OutcomesOf(schedule_.Submit(Make(2, {.only = 9}), kNow)),
              ElementsAre(ipc::OUTCOME_UNAVAILABLE));
  EXPECT_THAT(SlotsOf(schedule_.Submit(Make(3, {.only = 1}), kNow)), ElementsAre(1U));
  EXPECT_THAT(OutcomesOf(schedule_.WorkerGone(1, Suspicion::kNone, kNow)),
              ElementsAre(ipc::OUTCOME_UNAVAILABLE));
}

TEST_F(RequestSchedulerTest, AnotherWorkerOrNone) {
  schedule_.WorkerReady(1, kNow);
  const WorkerChoice another{.not_this = 1};
  EXPECT_THAT(OutcomesOf(schedule_.Submit(Make(1, another), kNow)),
              ElementsAre(ipc::OUTCOME_UNAVAILABLE));
  schedule_.WorkerReady(2, kNow);
  EXPECT_THAT(SlotsOf(schedule_.Submit(Make(2, another), kNow)), ElementsAre(2U));
  EXPECT_THAT(SlotsOf(schedule_.Submit(Make(3, another), kNow)), ElementsAre(2U));
}

TEST_F(RequestSchedulerTest, FallsBackToTheSameWorkerOverAFreshConnection) {
  schedule_.WorkerReady(1, kNow);
  const WorkerChoice either{.not_this = 1, .fallback = WorkerChoice::Fallback::kSameWorker};
  const RequestScheduler::Steps alone = schedule_.Submit(Make(1, either), kNow);
  ASSERT_THAT(SlotsOf(alone), ElementsAre(1U));
  EXPECT_TRUE(static_cast<const ipc::DecryptRequest&>(*alone.sends[0].request).fresh_connection());
  schedule_.WorkerReady(0, kNow);
  const RequestScheduler::Steps other = schedule_.Submit(Make(2, either), kNow);
  ASSERT_THAT(SlotsOf(other), ElementsAre(0U));
  EXPECT_FALSE(static_cast<const ipc::DecryptRequest&>(*other.sends[0].request).fresh_connection());
}

TEST_F(RequestSchedulerTest, WaitsForAWorkerWithinItsBound) {
  for (OperationId id = 1; id <= RequestScheduler::kMostWaiting; ++id) {
    const RequestScheduler::Steps steps = schedule_.Submit(Make(id), kNow);
    ASSERT_TRUE(steps.sends.empty() && steps.ended.empty()) << id;
  }
  EXPECT_THAT(OutcomesOf(schedule_.Submit(Make(5000), kNow)), ElementsAre(ipc::OUTCOME_OVERLOADED));
  schedule_.Cancel(1, kNow);
  EXPECT_THAT(schedule_.Submit(Make(5001), kNow).ended, IsEmpty());
  EXPECT_THAT(schedule_.WorkerReady(0, kNow).sends, SizeIs(RequestScheduler::kMostWaiting));
}

TEST_F(RequestSchedulerTest, BoundsOperationsInAll) {
  AllReady();
  for (OperationId id = 1; id <= RequestScheduler::kMostOperations; ++id) {
    ASSERT_THAT(schedule_.Submit(Make(id), kNow).sends, SizeIs(1));
  }
  EXPECT_THAT(OutcomesOf(schedule_.Submit(Make(99999), kNow)),
              ElementsAre(ipc::OUTCOME_OVERLOADED));
}

TEST_F(RequestSchedulerTest, PastDeadlineIsNotEvenTried) {
  AllReady();
  const RequestScheduler::Steps steps = schedule_.Submit(Make(1), kDeadline);
  EXPECT_THAT(OutcomesOf(steps), ElementsAre(ipc::OUTCOME_TIMEOUT));
  EXPECT_THAT(steps.sends, IsEmpty());
}

TEST_F(RequestSchedulerTest, ExpiryEndsWaitingAndRunningAlike) {
  schedule_.Submit(Make(1), kNow);
  EXPECT_EQ(schedule_.NextDeadline(), kDeadline);
  EXPECT_THAT(schedule_.Expire(kDeadline - BootTime(1)).ended, IsEmpty());
  schedule_.WorkerReady(0, kNow);
  const RequestScheduler::Steps steps = schedule_.Expire(kDeadline);
  EXPECT_THAT(OutcomesOf(steps), ElementsAre(ipc::OUTCOME_TIMEOUT));
  EXPECT_THAT(steps.stops, SizeIs(1));
  EXPECT_EQ(schedule_.NextDeadline(), std::nullopt);
}

TEST_F(RequestSchedulerTest, AnswersNobodyAskedForAreBreaches) {
  AllReady();
  const Slot asked = SlotsOf(schedule_.Submit(Make(7), kNow)).at(0);
  const Slot other = asked == 0 ? 1 : 0;
  EXPECT_FALSE(schedule_.Answer(asked, 8, kDecryptKind, kNow).has_value());
  EXPECT_FALSE(schedule_.Answer(asked, 0, kDecryptKind, kNow).has_value());
  EXPECT_FALSE(schedule_.Answer(other, 7, kDecryptKind, kNow).has_value());
  EXPECT_FALSE(schedule_.Answer(asked, 7, kDecryptKind + 1, kNow).has_value());
  EXPECT_TRUE(schedule_.Answer(asked, 7, kDecryptKind, kNow).has_value());
  EXPECT_FALSE(schedule_.Answer(asked, 7, kDecryptKind, kNow).has_value());
}

TEST_F(RequestSchedulerTest, LateAnswerIsDroppedOnce) {
  schedule_.WorkerReady(0, kNow);
  schedule_.Submit(Make(1), kNow);
  EXPECT_THAT(schedule_.Cancel(1, kNow).stops, SizeIs(1));
  const auto late = schedule_.Answer(0, 1, kDecryptKind, kNow);
  ASSERT_TRUE(late.has_value());
  EXPECT_EQ(late->operation, nullptr);
  EXPECT_FALSE(schedule_.Answer(0, 1, kDecryptKind, kNow).has_value());
}

TEST_F(RequestSchedulerTest, SuccessorOfAWorkerWasNeverAsked) {
  schedule_.WorkerReady(0, kNow);
  schedule_.Submit(Make(1), kNow);
  schedule_.Cancel(1, kNow);
  schedule_.WorkerGone(0, Suspicion::kNone, kNow);
  schedule_.WorkerReady(0, kNow);
  EXPECT_FALSE(schedule_.Answer(0, 1, kDecryptKind, kNow).has_value());
}

TEST_F(RequestSchedulerTest, OrdinaryDeathsReplayAgainAndAgain) {
  schedule_.WorkerReady(0, kNow);
  const OperationPtr operation = Make(1);
  schedule_.Submit(operation, kNow);
  for (std::uint32_t death = 1; death <= 5; ++death) {
    EXPECT_THAT(schedule_.WorkerGone(0, Suspicion::kNone, kNow).ended, IsEmpty());
    EXPECT_EQ(operation->replays, death);
    EXPECT_THAT(SlotsOf(schedule_.WorkerReady(0, kNow)), ElementsAre(0U));
  }
}

TEST_F(RequestSchedulerTest, SuspectsAreTriedOneByOneOnAnIdleWorker) {
  schedule_.WorkerReady(0, kNow);
  schedule_.Submit(Make(1), kNow);
  schedule_.Submit(Make(2), kNow);
  schedule_.WorkerReady(1, kNow);
  schedule_.Submit(Make(3), kNow);  // keeps worker 1 busy
  EXPECT_THAT(schedule_.WorkerGone(0, Suspicion::kRequests, kNow).sends, IsEmpty());

  const auto first = schedule_.Answer(1, 3, kDecryptKind, kNow);
  ASSERT_TRUE(first.has_value());
  ASSERT_THAT(first->steps.sends, SizeIs(1));
  EXPECT_EQ(first->steps.sends[0].id, 1U);
  EXPECT_THAT(schedule_.Submit(Make(4), kNow).sends, IsEmpty());

  const auto second = schedule_.Answer(1, 1, kDecryptKind, kNow);
  ASSERT_THAT(second->steps.sends, SizeIs(1));
  EXPECT_EQ(second->steps.sends[0].id, 2U);

  const auto third = schedule_.Answer(1, 2, kDecryptKind, kNow);
  ASSERT_THAT(third->steps.sends, SizeIs(1));
  EXPECT_EQ(third->steps.sends[0].id, 4U);
}

TEST_F(RequestSchedulerTest, OthersGoOnBesideATrial) {
  AllReady();
  const Slot busy = SlotsOf(schedule_.Submit(Make(1), kNow)).at(0);
  const RequestScheduler::Steps trial = schedule_.WorkerGone(busy, Suspicion::kRequests, kNow);
  ASSERT_THAT(trial.sends, SizeIs(1));
  for (OperationId id = 2; id <= 5; ++id) {
    const std::vector<Slot> slots = SlotsOf(schedule_.Submit(Make(id), kNow));
    ASSERT_THAT(slots, SizeIs(1));
    EXPECT_NE(slots[0], trial.sends[0].slot);
  }
}

TEST_F(RequestSchedulerTest, OnlyTheSuspectOnTrialIsBlamed) {
  schedule_.WorkerReady(0, kNow);
  schedule_.Submit(Make(1, {}, "guilty"), kNow);
  schedule_.Submit(Make(2, {}, "innocent"), kNow);
  schedule_.WorkerGone(0, Suspicion::kRequests, kNow);
  EXPECT_THAT(schedule_.WorkerReady(1, kNow).sends, SizeIs(1));
  EXPECT_THAT(OutcomesOf(schedule_.WorkerGone(1, Suspicion::kRequests, kNow)),
              ElementsAre(ipc::OUTCOME_INTERNAL));
  const RequestScheduler::Steps next = schedule_.WorkerReady(2, kNow);
  ASSERT_THAT(next.sends, SizeIs(1));
  EXPECT_EQ(next.sends[0].id, 2U);
  ASSERT_TRUE(schedule_.Answer(2, 2, kDecryptKind, kNow).has_value());

  EXPECT_THAT(OutcomesOf(schedule_.Submit(Make(3, {}, "guilty"), kNow)),
              ElementsAre(ipc::OUTCOME_INTERNAL));
  EXPECT_THAT(SlotsOf(schedule_.Submit(Make(4, {}, "innocent"), kNow)), ElementsAre(2U));
}

TEST_F(RequestSchedulerTest, BlameEndsAfterTenMinutes) {
  schedule_.WorkerReady(0, kNow);
  schedule_.Submit(Make(1, {}, "guilty"), kNow);
  schedule_.WorkerGone(0, Suspicion::kRequests, kNow);
  schedule_.WorkerReady(0, kNow);
  schedule_.WorkerGone(0, Suspicion::kRequests, kNow);
  schedule_.WorkerReady(0, kNow);
  const auto submit_at = [&](OperationId id, BootTime when) {
    const OperationPtr operation = Make(id, {}, "guilty");
    operation->deadline = when + std::chrono::seconds(1);
    return schedule_.Submit(operation, when);
  };
  const BootTime end = kNow + RefusedRequests::kRefusedFor;
  EXPECT_THAT(OutcomesOf(submit_at(2, end - BootTime(1))), ElementsAre(ipc::OUTCOME_INTERNAL));
  EXPECT_THAT(SlotsOf(submit_at(3, end)), ElementsAre(0U));
}

TEST_F(RequestSchedulerTest, TrialKilledFromOutsideIsNoProof) {
  schedule_.WorkerReady(0, kNow);
  schedule_.Submit(Make(1), kNow);
  schedule_.WorkerGone(0, Suspicion::kRequests, kNow);
  EXPECT_THAT(schedule_.WorkerReady(0, kNow).sends, SizeIs(1));
  EXPECT_THAT(schedule_.WorkerGone(0, Suspicion::kNone, kNow).ended, IsEmpty());
  EXPECT_THAT(schedule_.WorkerReady(0, kNow).sends, SizeIs(1));
  EXPECT_TRUE(schedule_.Answer(0, 1, kDecryptKind, kNow).has_value());
}

TEST_F(RequestSchedulerTest, TrialWaitsForWhatWasGivenUp) {
  schedule_.WorkerReady(0, kNow);
  schedule_.Submit(Make(1), kNow);
  schedule_.WorkerReady(1, kNow);
  schedule_.Submit(Make(2), kNow);
  schedule_.Cancel(2, kNow);  // worker 1 is still at it
  EXPECT_THAT(schedule_.WorkerGone(0, Suspicion::kRequests, kNow).sends, IsEmpty());
  const auto late = schedule_.Answer(1, 2, kDecryptKind, kNow);
  ASSERT_TRUE(late.has_value());
  EXPECT_THAT(SlotsOf(late->steps), ElementsAre(1U));
}

TEST_F(RequestSchedulerTest, WorkerThatDiesBeforeATrialBeginsLeavesTheSuspectWaiting) {
  schedule_.WorkerReady(0, kNow);
  schedule_.Submit(Make(1), kNow);
  schedule_.WorkerReady(1, kNow);
  schedule_.Submit(Make(2), kNow);  // busy, so the trial has to wait for it
  schedule_.WorkerGone(0, Suspicion::kRequests, kNow);
  EXPECT_THAT(schedule_.WorkerGone(1, Suspicion::kNone, kNow).ended, IsEmpty());
  const RequestScheduler::Steps steps = schedule_.WorkerReady(2, kNow);
  ASSERT_FALSE(steps.sends.empty());
  EXPECT_EQ(steps.sends[0].id, 1U);
  const auto answered = schedule_.Answer(2, 1, kDecryptKind, kNow);
  ASSERT_TRUE(answered.has_value());
  ASSERT_THAT(answered->steps.sends, SizeIs(1));
  EXPECT_EQ(answered->steps.sends[0].id, 2U);
}

TEST_F(RequestSchedulerTest, CancelledSuspectFreesItsWorker) {
  schedule_.WorkerReady(0, kNow);
  schedule_.Submit(Make(1), kNow);
  schedule_.WorkerGone(0, Suspicion::kRequests, kNow);
  schedule_.WorkerReady(0, kNow);
  EXPECT_THAT(schedule_.Submit(Make(2), kNow).sends, IsEmpty());
  EXPECT_THAT(SlotsOf(schedule_.Cancel(1, kNow)), ElementsAre(0U));
}

TEST(FingerprintTest, IgnoresBookkeepingOnly) {
  const OperationPtr one = Make(1, {}, "same");
  const OperationPtr two = Make(2, {}, "same");
  two->request = OverFreshConnection(*two->request);
  EXPECT_EQ(Fingerprint(*one), Fingerprint(*two));
  EXPECT_NE(Fingerprint(*one), Fingerprint(*Make(3, {}, "other")));
  const OperationPtr probe = Make(4);
  probe->type = ipc::MessageType::kProbeDecryptRequest;
  ipc::ProbeDecryptRequest request;
  request.set_ciphertext("same");
  probe->request = HoldRequest(request);
  EXPECT_NE(Fingerprint(*one), Fingerprint(*probe));
}

TEST(RefusedRequestsTest, OldestEntryMakesRoom) {
  RefusedRequests refused;
  EXPECT_TRUE(refused.empty());
  const auto fingerprint = [](std::size_t i) {
    return contract::Sha256(contract::AsBytes(std::to_string(i)));
  };
  for (std::size_t i = 0; i <= RefusedRequests::kMostEntries; ++i) {
    refused.Add(fingerprint(i), kNow);
  }
  EXPECT_FALSE(refused.Contains(fingerprint(0), kNow));
  EXPECT_TRUE(refused.Contains(fingerprint(1), kNow));
  EXPECT_TRUE(refused.Contains(fingerprint(RefusedRequests::kMostEntries), kNow));
}

}  // namespace
}  // namespace baokms::supervisor
