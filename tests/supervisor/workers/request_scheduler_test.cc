#include "supervisor/workers/request_scheduler.h"

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "proto/ipc.pb.h"
#include "supervisor/workers/pending_request.h"
#include "tests/supervisor/workers/scheduler_test_base.h"

namespace baokms::supervisor {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;

TEST_F(RequestSchedulerTest, SpreadsEvenlyAndPrefersTheLeastBusy) {
  AllReady();
  std::vector<Slot> slots;
  for (RequestId id = 1; id <= 3; ++id) {
    slots.push_back(SlotsOf(scheduler_.Submit(Make(id), kNow)).at(0));
  }
  EXPECT_THAT(slots, ::testing::UnorderedElementsAre(0U, 1U, 2U));
  ASSERT_TRUE(scheduler_.Answer(slots[1], 2, kDecrypted, kNow).has_value());
  EXPECT_THAT(SlotsOf(scheduler_.Submit(Make(4), kNow)), ElementsAre(slots[1]));
}

TEST_F(RequestSchedulerTest, StaysWithTheLastOneWhenAllAreIdle) {
  AllReady();
  const Slot first = SlotsOf(scheduler_.Submit(Make(1), kNow)).at(0);
  ASSERT_TRUE(scheduler_.Answer(first, 1, kDecrypted, kNow).has_value());
  // What asks for another worker does not change it: the second half of an Encrypt.
  const Slot other = SlotsOf(scheduler_.Submit(Make(2, {.not_this = first}), kNow)).at(0);
  EXPECT_NE(other, first);
  ASSERT_TRUE(scheduler_.Answer(other, 2, kDecrypted, kNow).has_value());
  EXPECT_THAT(SlotsOf(scheduler_.Submit(Make(3), kNow)), ElementsAre(first));
}

TEST_F(RequestSchedulerTest, StuckWorkerDoesNotLookIdle) {
  scheduler_.WorkerReady(0, kNow);
  scheduler_.Submit(Make(1), kNow);
  scheduler_.Advance(kDeadline);
  scheduler_.WorkerReady(1, kNow);
  for (RequestId id = 2; id <= 4; ++id) {
    EXPECT_THAT(SlotsOf(scheduler_.Submit(Make(id), kNow)), ElementsAre(1U));
    ASSERT_TRUE(scheduler_.Answer(1, id, kDecrypted, kNow).has_value());
  }
}

// Two workers of which the first hangs: it was given two requests and let them expire.
class HangingWorkerTest : public RequestSchedulerTest {
 protected:
  static constexpr BootTime kLater = kDeadline + BootTime(1);

  HangingWorkerTest() {
    scheduler_.WorkerReady(0, kNow);
    scheduler_.Submit(Make(1), kNow);
    scheduler_.Submit(Make(2), kNow);
    scheduler_.Advance(kDeadline);
    scheduler_.WorkerReady(1, kDeadline);
  }

  std::vector<Slot> SlotsOfNext(WorkerChoice choice = {}) {
    const PendingRequestPtr pending = Make(++last_id_, choice);
    pending->deadline = kLater + kDeadline;
    return SlotsOf(scheduler_.Submit(pending, kLater));
  }

  RequestId last_id_ = 10;
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
  ASSERT_TRUE(scheduler_.Answer(0, 1, kDecrypted, kLater).has_value());
  EXPECT_THAT(SlotsOfNext(), ElementsAre(0U));
}

TEST_F(HangingWorkerTest, IsTriedWhenThereIsNoOther) {
  scheduler_.WorkerGone(1, WorkerEnd::kKilled, kLater);
  EXPECT_THAT(SlotsOfNext(), ElementsAre(0U));
}

TEST_F(HangingWorkerTest, IsReplacedByTheSameWorkerOnlyWhereThatIsAllowed) {
  using enum WorkerChoice::Fallback;
  EXPECT_THAT(SlotsOfNext({.not_this = 1, .fallback = kSameIfOthersHang}), ElementsAre(1U));
  EXPECT_THAT(SlotsOfNext({.not_this = 1, .fallback = kSameWorker}), ElementsAre(0U));
  EXPECT_THAT(SlotsOfNext({.not_this = 1}), ElementsAre(0U));
}

TEST_F(RequestSchedulerTest, WorkerThatMayStillAnswerTheCancellationDoesNotHang) {
  scheduler_.WorkerReady(0, kNow);
  scheduler_.Submit(Make(1), kNow);
  scheduler_.Cancel(1, kNow);
  scheduler_.WorkerReady(1, kNow);
  EXPECT_THAT(SlotsOf(scheduler_.Submit(Make(2), kNow)), ElementsAre(1U));
  EXPECT_THAT(SlotsOf(scheduler_.Submit(Make(3), kNow)), ElementsAre(1U));
  EXPECT_THAT(SlotsOf(scheduler_.Submit(Make(4), kNow)), ElementsAre(0U));
  const BootTime silent = kNow + RequestScheduler::kSilence;
  EXPECT_THAT(SlotsOf(scheduler_.Submit(Make(5), silent)), ElementsAre(1U));
  EXPECT_THAT(SlotsOf(scheduler_.Submit(Make(6), silent)), ElementsAre(1U));
}

TEST_F(RequestSchedulerTest, OnlyThisWorkerOrNone) {
  scheduler_.WorkerReady(1, kNow);
  EXPECT_THAT(OutcomesOf(scheduler_.Submit(Make(1, {.only = 0}), kNow)),
              ElementsAre(ipc::OUTCOME_UNAVAILABLE));
  EXPECT_THAT(OutcomesOf(scheduler_.Submit(Make(2, {.only = 9}), kNow)),
              ElementsAre(ipc::OUTCOME_UNAVAILABLE));
  EXPECT_THAT(SlotsOf(scheduler_.Submit(Make(3, {.only = 1}), kNow)), ElementsAre(1U));
  EXPECT_THAT(OutcomesOf(scheduler_.WorkerGone(1, WorkerEnd::kKilled, kNow)),
              ElementsAre(ipc::OUTCOME_UNAVAILABLE));
}

TEST_F(RequestSchedulerTest, AnotherWorkerOrNone) {
  scheduler_.WorkerReady(1, kNow);
  const WorkerChoice another{.not_this = 1};
  EXPECT_THAT(OutcomesOf(scheduler_.Submit(Make(1, another), kNow)),
              ElementsAre(ipc::OUTCOME_UNAVAILABLE));
  scheduler_.WorkerReady(2, kNow);
  EXPECT_THAT(SlotsOf(scheduler_.Submit(Make(2, another), kNow)), ElementsAre(2U));
  EXPECT_THAT(SlotsOf(scheduler_.Submit(Make(3, another), kNow)), ElementsAre(2U));
}

TEST_F(RequestSchedulerTest, FallsBackToTheSameWorkerOverAFreshConnection) {
  scheduler_.WorkerReady(1, kNow);
  const WorkerChoice either{.not_this = 1, .fallback = WorkerChoice::Fallback::kSameWorker};
  const RequestScheduler::Steps alone = scheduler_.Submit(Make(1, either), kNow);
  ASSERT_THAT(SlotsOf(alone), ElementsAre(1U));
  EXPECT_TRUE(static_cast<const ipc::DecryptRequest&>(*alone.sends[0].request).fresh_connection());
  scheduler_.WorkerReady(0, kNow);
  const RequestScheduler::Steps other = scheduler_.Submit(Make(2, either), kNow);
  ASSERT_THAT(SlotsOf(other), ElementsAre(0U));
  EXPECT_FALSE(static_cast<const ipc::DecryptRequest&>(*other.sends[0].request).fresh_connection());
}

TEST_F(RequestSchedulerTest, WaitsForAWorkerWithinItsBound) {
  for (RequestId id = 1; id <= RequestScheduler::kMaxWaiting; ++id) {
    const RequestScheduler::Steps steps = scheduler_.Submit(Make(id), kNow);
    ASSERT_TRUE(steps.sends.empty() && steps.ended.empty()) << id;
  }
  EXPECT_THAT(OutcomesOf(scheduler_.Submit(Make(5000), kNow)),
              ElementsAre(ipc::OUTCOME_OVERLOADED));
  scheduler_.Cancel(1, kNow);
  EXPECT_THAT(scheduler_.Submit(Make(5001), kNow).ended, IsEmpty());
  EXPECT_THAT(scheduler_.WorkerReady(0, kNow).sends, SizeIs(RequestScheduler::kMaxWaiting));
}

TEST_F(RequestSchedulerTest, BoundsOperationsInAll) {
  AllReady();
  for (RequestId id = 1; id <= RequestScheduler::kMaxRequests; ++id) {
    ASSERT_THAT(scheduler_.Submit(Make(id), kNow).sends, SizeIs(1));
  }
  EXPECT_THAT(OutcomesOf(scheduler_.Submit(Make(99999), kNow)),
              ElementsAre(ipc::OUTCOME_OVERLOADED));
}

TEST_F(RequestSchedulerTest, PastDeadlineIsNotEvenTried) {
  AllReady();
  const RequestScheduler::Steps steps = scheduler_.Submit(Make(1), kDeadline);
  EXPECT_THAT(OutcomesOf(steps), ElementsAre(ipc::OUTCOME_TIMEOUT));
  EXPECT_THAT(steps.sends, IsEmpty());
}

TEST_F(RequestSchedulerTest, ExpiryEndsWaitingAndRunningAlike) {
  scheduler_.Submit(Make(1), kNow);
  EXPECT_EQ(scheduler_.NextWake(), kDeadline);
  EXPECT_THAT(scheduler_.Advance(kDeadline - BootTime(1)).ended, IsEmpty());
  scheduler_.WorkerReady(0, kNow);
  const RequestScheduler::Steps steps = scheduler_.Advance(kDeadline);
  EXPECT_THAT(OutcomesOf(steps), ElementsAre(ipc::OUTCOME_TIMEOUT));
  EXPECT_THAT(steps.stops, SizeIs(1));
  // The worker still owes an answer.
  EXPECT_EQ(scheduler_.NextWake(), kDeadline + kTick);
  ASSERT_TRUE(scheduler_.Answer(0, 1, kDecrypted, kDeadline).has_value());
  scheduler_.Advance(kDeadline + kTick);
  EXPECT_EQ(scheduler_.NextWake(), std::nullopt);
}

TEST_F(RequestSchedulerTest, AnswersNobodyAskedForAreViolations) {
  AllReady();
  const Slot asked = SlotsOf(scheduler_.Submit(Make(7), kNow)).at(0);
  const Slot other = asked == 0 ? 1 : 0;
  EXPECT_FALSE(scheduler_.Answer(asked, 8, kDecrypted, kNow).has_value());
  EXPECT_FALSE(scheduler_.Answer(asked, 0, kDecrypted, kNow).has_value());
  EXPECT_FALSE(scheduler_.Answer(other, 7, kDecrypted, kNow).has_value());
  EXPECT_FALSE(scheduler_.Answer(asked, 7, {kDecryptKind + 1, ipc::OUTCOME_OK}, kNow).has_value());
  EXPECT_TRUE(scheduler_.Answer(asked, 7, kDecrypted, kNow).has_value());
  EXPECT_FALSE(scheduler_.Answer(asked, 7, kDecrypted, kNow).has_value());
}

TEST_F(RequestSchedulerTest, LateAnswerIsDroppedOnce) {
  scheduler_.WorkerReady(0, kNow);
  scheduler_.Submit(Make(1), kNow);
  EXPECT_THAT(scheduler_.Cancel(1, kNow).stops, SizeIs(1));
  const auto late = scheduler_.Answer(0, 1, kDecrypted, kNow);
  ASSERT_TRUE(late.has_value());
  EXPECT_EQ(late->pending, nullptr);
  EXPECT_FALSE(scheduler_.Answer(0, 1, kDecrypted, kNow).has_value());
}

// Only so many ids are remembered. For the others, their number is.
TEST_F(RequestSchedulerTest, LateAnswersAreNoMoreThanWereGivenUp) {
  constexpr RequestId kForgotten = 2;
  scheduler_.WorkerReady(0, kNow);
  for (RequestId id = 1; id <= RequestScheduler::kMaxAbandoned + kForgotten; ++id) {
    ASSERT_THAT(SlotsOf(scheduler_.Submit(Make(id), kNow)), ElementsAre(0U));
    scheduler_.Cancel(id, kNow);
  }
  for (RequestId i = 0; i < kForgotten; ++i) {
    EXPECT_TRUE(scheduler_.Answer(0, 1, kDecrypted, kNow).has_value());
  }
  EXPECT_FALSE(scheduler_.Answer(0, 1, kDecrypted, kNow).has_value());
  EXPECT_TRUE(scheduler_.Answer(0, kForgotten + 1, kDecrypted, kNow).has_value());
}

TEST_F(RequestSchedulerTest, SuccessorOfAWorkerWasNeverAsked) {
  scheduler_.WorkerReady(0, kNow);
  scheduler_.Submit(Make(1), kNow);
  scheduler_.Cancel(1, kNow);
  scheduler_.WorkerGone(0, WorkerEnd::kKilled, kNow);
  scheduler_.WorkerReady(0, kNow);
  EXPECT_FALSE(scheduler_.Answer(0, 1, kDecrypted, kNow).has_value());
}

TEST_F(RequestSchedulerTest, OrdinaryDeathsReplayAgainAndAgain) {
  scheduler_.WorkerReady(0, kNow);
  const PendingRequestPtr pending = Make(1);
  scheduler_.Submit(pending, kNow);
  for (std::uint32_t exits = 1; exits <= 5; ++exits) {
    EXPECT_THAT(scheduler_.WorkerGone(0, WorkerEnd::kKilled, kNow).ended, IsEmpty());
    EXPECT_EQ(pending->replays, exits);
    EXPECT_THAT(SlotsOf(scheduler_.WorkerReady(0, kNow)), ElementsAre(0U));
  }
}

TEST_F(RequestSchedulerTest, SuspectsAreTriedOneByOneOnAnIdleWorker) {
  scheduler_.WorkerReady(0, kNow);
  scheduler_.Submit(Make(1), kNow);
  scheduler_.Submit(Make(2), kNow);
  scheduler_.WorkerReady(1, kNow);
  scheduler_.Submit(Make(3), kNow);  // keeps worker 1 busy
  EXPECT_THAT(scheduler_.WorkerGone(0, WorkerEnd::kCrashed, kNow).sends, IsEmpty());

  const auto first = scheduler_.Answer(1, 3, kDecrypted, kNow);
  ASSERT_TRUE(first.has_value());
  ASSERT_THAT(first->steps.sends, SizeIs(1));
  EXPECT_EQ(first->steps.sends[0].id, 1U);
  EXPECT_THAT(scheduler_.Submit(Make(4), kNow).sends, IsEmpty());

  const auto second = scheduler_.Answer(1, 1, kDecrypted, kNow);
  ASSERT_THAT(second->steps.sends, SizeIs(1));
  EXPECT_EQ(second->steps.sends[0].id, 2U);

  const auto third = scheduler_.Answer(1, 2, kDecrypted, kNow);
  ASSERT_THAT(third->steps.sends, SizeIs(1));
  EXPECT_EQ(third->steps.sends[0].id, 4U);
}

TEST_F(RequestSchedulerTest, OthersGoOnBesideATrial) {
  AllReady();
  const Slot busy = SlotsOf(scheduler_.Submit(Make(1), kNow)).at(0);
  const RequestScheduler::Steps trial = scheduler_.WorkerGone(busy, WorkerEnd::kCrashed, kNow);
  ASSERT_THAT(trial.sends, SizeIs(1));
  for (RequestId id = 2; id <= 5; ++id) {
    const std::vector<Slot> slots = SlotsOf(scheduler_.Submit(Make(id), kNow));
    ASSERT_THAT(slots, SizeIs(1));
    EXPECT_NE(slots[0], trial.sends[0].slot);
  }
}

TEST_F(RequestSchedulerTest, OnlyTheSuspectThatCrashesTwoTrialsIsBlamed) {
  scheduler_.WorkerReady(0, kNow);
  scheduler_.Submit(Make(1, {}, "guilty"), kNow);
  scheduler_.Submit(Make(2, {}, "innocent"), kNow);
  scheduler_.WorkerGone(0, WorkerEnd::kCrashed, kNow);
  EXPECT_THAT(scheduler_.WorkerReady(1, kNow).sends, SizeIs(1));
  EXPECT_THAT(scheduler_.WorkerGone(1, WorkerEnd::kCrashed, kNow).ended, IsEmpty());
  const RequestScheduler::Steps other = scheduler_.WorkerReady(2, kNow);
  ASSERT_THAT(other.sends, SizeIs(1));
  EXPECT_EQ(other.sends[0].id, 2U);
  const auto again = scheduler_.Answer(2, 2, kDecrypted, kNow);
  ASSERT_TRUE(again.has_value());
  EXPECT_THAT(again->steps.sends, SizeIs(1));
  EXPECT_THAT(OutcomesOf(scheduler_.WorkerGone(2, WorkerEnd::kCrashed, kNow)),
              ElementsAre(ipc::OUTCOME_INTERNAL));

  scheduler_.WorkerReady(2, kNow);
  EXPECT_THAT(OutcomesOf(scheduler_.Submit(Make(3, {}, "guilty"), kNow)),
              ElementsAre(ipc::OUTCOME_INTERNAL));
  EXPECT_THAT(SlotsOf(scheduler_.Submit(Make(4, {}, "innocent"), kNow)), ElementsAre(2U));
}

TEST_F(RequestSchedulerTest, OneCrashOnTrialMayBeACoincidence) {
  scheduler_.WorkerReady(0, kNow);
  scheduler_.Submit(Make(1, {}, "innocent"), kNow);
  scheduler_.WorkerGone(0, WorkerEnd::kCrashed, kNow);
  scheduler_.WorkerReady(0, kNow);
  EXPECT_THAT(scheduler_.WorkerGone(0, WorkerEnd::kCrashed, kNow).ended, IsEmpty());
  EXPECT_THAT(SlotsOf(scheduler_.WorkerReady(0, kNow)), ElementsAre(0U));
  const auto answered = scheduler_.Answer(0, 1, kDecrypted, kNow);
  ASSERT_TRUE(answered.has_value());
  EXPECT_NE(answered->pending, nullptr);
  EXPECT_THAT(SlotsOf(scheduler_.Submit(Make(2, {}, "innocent"), kNow)), ElementsAre(0U));
}

// Whoever can send a signal to one of them can send it to all of them.
TEST_F(RequestSchedulerTest, TheCrashOfAllWorkersAtOnceIsNoProof) {
  AllReady();
  const Slot first = SlotsOf(scheduler_.Submit(Make(1, {}, "innocent"), kNow)).at(0);
  const std::vector<Slot> trial = SlotsOf(scheduler_.WorkerGone(first, WorkerEnd::kCrashed, kNow));
  ASSERT_THAT(trial, SizeIs(1));
  RequestScheduler::Steps steps = scheduler_.WorkerGone(trial[0], WorkerEnd::kCrashed, kNow);
  EXPECT_THAT(steps.sends, IsEmpty()) << "the last one is as old";
  EXPECT_THAT(steps.ended, IsEmpty());
  EXPECT_THAT(SlotsOf(scheduler_.Submit(Make(2, {}, "another"), kNow)), SizeIs(1));
  EXPECT_THAT(SlotsOf(scheduler_.WorkerReady(first, kNow)), ElementsAre(first));
  EXPECT_NE(scheduler_.Answer(first, 1, kDecrypted, kNow)->pending, nullptr);
  EXPECT_THAT(SlotsOf(scheduler_.Submit(Make(3, {}, "innocent"), kNow)), SizeIs(1));
}

TEST_F(RequestSchedulerTest, BlameEndsAfterTenMinutes) {
  scheduler_.WorkerReady(0, kNow);
  scheduler_.Submit(Make(1, {}, "guilty"), kNow);
  scheduler_.WorkerGone(0, WorkerEnd::kCrashed, kNow);
  for (std::uint32_t trial = 0; trial < RequestScheduler::kCrashesToBlame; ++trial) {
    scheduler_.WorkerReady(0, kNow);
    scheduler_.WorkerGone(0, WorkerEnd::kCrashed, kNow);
  }
  scheduler_.WorkerReady(0, kNow);
  const auto submit_at = [&](RequestId id, BootTime when) {
    const PendingRequestPtr pending = Make(id, {}, "guilty");
    pending->deadline = when + std::chrono::seconds(1);
    return scheduler_.Submit(pending, when);
  };
  const BootTime end = kNow + RefusedRequests::kRefusedFor;
  EXPECT_THAT(OutcomesOf(submit_at(2, end - BootTime(1))), ElementsAre(ipc::OUTCOME_INTERNAL));
  EXPECT_THAT(SlotsOf(submit_at(3, end)), ElementsAre(0U));
}

TEST_F(RequestSchedulerTest, TrialKilledFromOutsideIsNoProof) {
  scheduler_.WorkerReady(0, kNow);
  scheduler_.Submit(Make(1), kNow);
  scheduler_.WorkerGone(0, WorkerEnd::kCrashed, kNow);
  EXPECT_THAT(scheduler_.WorkerReady(0, kNow).sends, SizeIs(1));
  EXPECT_THAT(scheduler_.WorkerGone(0, WorkerEnd::kKilled, kNow).ended, IsEmpty());
  EXPECT_THAT(scheduler_.WorkerReady(0, kNow).sends, SizeIs(1));
  EXPECT_TRUE(scheduler_.Answer(0, 1, kDecrypted, kNow).has_value());
}

TEST_F(RequestSchedulerTest, TrialWaitsForWhatWasGivenUp) {
  scheduler_.WorkerReady(0, kNow);
  scheduler_.Submit(Make(1), kNow);
  scheduler_.WorkerReady(1, kNow);
  scheduler_.Submit(Make(2), kNow);
  scheduler_.Cancel(2, kNow);  // worker 1 is still at it
  EXPECT_THAT(scheduler_.WorkerGone(0, WorkerEnd::kCrashed, kNow).sends, IsEmpty());
  const auto late = scheduler_.Answer(1, 2, kDecrypted, kNow);
  ASSERT_TRUE(late.has_value());
  EXPECT_THAT(SlotsOf(late->steps), ElementsAre(1U));
}

TEST_F(RequestSchedulerTest, WorkerThatDiesBeforeATrialBeginsLeavesTheSuspectWaiting) {
  scheduler_.WorkerReady(0, kNow);
  scheduler_.Submit(Make(1), kNow);
  scheduler_.WorkerReady(1, kNow);
  scheduler_.Submit(Make(2), kNow);  // busy, so the trial has to wait for it
  scheduler_.WorkerGone(0, WorkerEnd::kCrashed, kNow);
  EXPECT_THAT(scheduler_.WorkerGone(1, WorkerEnd::kKilled, kNow).ended, IsEmpty());
  const RequestScheduler::Steps steps = scheduler_.WorkerReady(2, kNow);
  ASSERT_FALSE(steps.sends.empty());
  EXPECT_EQ(steps.sends[0].id, 1U);
  const auto answered = scheduler_.Answer(2, 1, kDecrypted, kNow);
  ASSERT_TRUE(answered.has_value());
  ASSERT_THAT(answered->steps.sends, SizeIs(1));
  EXPECT_EQ(answered->steps.sends[0].id, 2U);
}

TEST_F(RequestSchedulerTest, CancelledSuspectFreesItsWorker) {
  scheduler_.WorkerReady(0, kNow);
  scheduler_.Submit(Make(1), kNow);
  scheduler_.WorkerGone(0, WorkerEnd::kCrashed, kNow);
  scheduler_.WorkerReady(0, kNow);
  EXPECT_THAT(scheduler_.Submit(Make(2), kNow).sends, IsEmpty());
  EXPECT_THAT(SlotsOf(scheduler_.Cancel(1, kNow)), ElementsAre(0U));
}

TEST(FingerprintTest, IgnoresBookkeepingOnly) {
  const PendingRequestPtr one = Make(1, {}, "same");
  const PendingRequestPtr two = Make(2, {}, "same");
  UseFreshConnection(*two);
  EXPECT_EQ(Fingerprint(*one), Fingerprint(*two));
  EXPECT_NE(Fingerprint(*one), Fingerprint(*Make(3, {}, "other")));
  ipc::ProbeDecryptRequest request;
  request.set_ciphertext("same");
  const PendingRequestPtr probe =
      MakePending(4, std::move(request), {},
                  OnReply<ipc::ProbeDecryptAnswer>([](const Reply<ipc::ProbeDecryptAnswer>&) {}));
  EXPECT_NE(Fingerprint(*one), Fingerprint(*probe));
}

TEST(RefusedRequestsTest, OldestEntryMakesRoom) {
  RefusedRequests refused;
  EXPECT_TRUE(refused.empty());
  const auto fingerprint = [](std::size_t i) {
    return contract::Sha256(contract::AsBytes(std::to_string(i)));
  };
  for (std::size_t i = 0; i <= RefusedRequests::kMaxEntries; ++i) {
    refused.Add(fingerprint(i), kNow);
  }
  EXPECT_FALSE(refused.Contains(fingerprint(0), kNow));
  EXPECT_TRUE(refused.Contains(fingerprint(1), kNow));
  EXPECT_TRUE(refused.Contains(fingerprint(RefusedRequests::kMaxEntries), kNow));
}

}  // namespace
}  // namespace baokms::supervisor
