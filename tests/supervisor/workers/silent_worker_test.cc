// Which worker is asked while others are without a token, stopped or slow.

#include <chrono>
#include <optional>
#include <set>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/base/clock.h"
#include "ipc/limits.h"
#include "proto/ipc.pb.h"
#include "supervisor/workers/hedge_policy.h"
#include "supervisor/workers/pending_request.h"
#include "supervisor/workers/request_scheduler.h"
#include "tests/supervisor/workers/scheduler_test_base.h"

namespace baokms::supervisor {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;

TEST_F(RequestSchedulerTest, PrefersWorkersWithATokenHoweverBusy) {
  AllReady();
  scheduler_.WorkerToken(1, true);
  for (RequestId id = 1; id <= 20; ++id) {
    EXPECT_THAT(SlotsOf(scheduler_.Submit(Make(id), kNow)), ElementsAre(1U));
  }
  EXPECT_NE(SlotsOf(scheduler_.Submit(Make(21, {.not_this = 1}), kNow)).at(0), 1U);
  scheduler_.WorkerToken(2, true);
  EXPECT_THAT(SlotsOf(scheduler_.Submit(Make(22), kNow)), ElementsAre(2U));
  scheduler_.WorkerToken(1, false);
  scheduler_.WorkerToken(2, false);
  EXPECT_THAT(SlotsOf(scheduler_.Submit(Make(23), kNow)), ElementsAre(0U));
}

TEST_F(RequestSchedulerTest, SuccessorHasNoToken) {
  AllReady();
  scheduler_.WorkerToken(0, true);
  scheduler_.WorkerToken(1, true);
  scheduler_.WorkerGone(0, WorkerEnd::kKilled, kNow);
  scheduler_.WorkerReady(0, kNow);
  for (RequestId id = 1; id <= 5; ++id) {
    EXPECT_THAT(SlotsOf(scheduler_.Submit(Make(id), kNow)), ElementsAre(1U));
  }
}

// Three workers with tokens, and a clock.
class SilentWorkerTest : public RequestSchedulerTest {
 protected:
  SilentWorkerTest() {
    AllReady();
    for (const Slot slot : {0U, 1U, 2U}) {
      scheduler_.WorkerToken(slot, true);
    }
  }

  // Lets intervals pass, in all of which the workers other than `silent` are heard; returns what
  // there was to do.
  RequestScheduler::Steps Pass(int ticks, Slot silent) {
    RequestScheduler::Steps all;
    for (int i = 0; i < ticks; ++i) {
      now_ += kTick;
      RequestScheduler::Steps steps = scheduler_.Advance(now_);
      all.sends.insert(all.sends.end(), steps.sends.begin(), steps.sends.end());
      all.stops.insert(all.stops.end(), steps.stops.begin(), steps.stops.end());
      all.pings.insert(all.pings.end(), steps.pings.begin(), steps.pings.end());
      all.kills.insert(all.kills.end(), steps.kills.begin(), steps.kills.end());
      for (const Slot slot : {0U, 1U, 2U}) {
        if (slot != silent) {
          scheduler_.WorkerPong(slot, now_);
        }
      }
    }
    return all;
  }

  PendingRequestPtr Submit(RequestId id, WorkerChoice choice = {}) {
    PendingRequestPtr pending = Make(id, choice);
    pending->deadline = now_ + std::chrono::seconds(10);
    last_ = scheduler_.Submit(pending, now_);
    return pending;
  }

  BootTime now_ = kNow;
  RequestScheduler::Steps last_;
};

TEST_F(SilentWorkerTest, IsAskedThenAvoidedThenKilled) {
  const PendingRequestPtr pending = Submit(1);
  const Slot silent = *pending->slot;
  EXPECT_THAT(Pass(ipc::kWorkerSilence.ping - 1, silent).pings, IsEmpty());
  EXPECT_THAT(Pass(1, silent).pings, ElementsAre(silent));
  EXPECT_FALSE(scheduler_.IsLost(silent, now_));
  const RequestScheduler::Steps stopped =
      Pass(ipc::kWorkerSilence.stopped - ipc::kWorkerSilence.ping, silent);
  EXPECT_LE(now_ - kNow, std::chrono::milliseconds(250));
  EXPECT_TRUE(scheduler_.IsLost(silent, now_));
  ASSERT_THAT(stopped.sends, SizeIs(1));
  EXPECT_NE(stopped.sends[0].slot, silent);
  EXPECT_THAT(stopped.stops, SizeIs(1));
  EXPECT_EQ(pending->replays, 1U);
  for (RequestId id = 2; id <= 20; ++id) {
    EXPECT_NE(*Submit(id)->slot, silent);
  }
  EXPECT_THAT(Pass(ipc::kWorkerSilence.kill - ipc::kWorkerSilence.stopped, silent).kills,
              ElementsAre(silent));
  EXPECT_THAT(Pass(100, silent).kills, IsEmpty());
}

TEST_F(SilentWorkerTest, IsUsedAgainOnceItAnswers) {
  const Slot silent = *Submit(1)->slot;
  Pass(ipc::kWorkerSilence.stopped, silent);
  scheduler_.WorkerPong(silent, now_);
  EXPECT_FALSE(scheduler_.IsLost(silent, now_));
  const auto late = scheduler_.Answer(silent, 1, kDecrypted, now_);
  ASSERT_TRUE(late.has_value());
  EXPECT_EQ(late->pending, nullptr) << "another worker has the request now";
  EXPECT_THAT(Pass(100, silent).kills, IsEmpty()) << "it owes nothing";
  std::set<Slot> used;
  for (RequestId id = 2; id <= 20; ++id) {
    used.insert(*Submit(id)->slot);
  }
  EXPECT_TRUE(used.contains(silent));
}

TEST_F(SilentWorkerTest, KeepsTheSupervisorsOwnDelaysApart) {
  const Slot silent = *Submit(1)->slot;
  now_ += std::chrono::seconds(5);  // nobody called in time
  EXPECT_THAT(scheduler_.Advance(now_).kills, IsEmpty());
  EXPECT_FALSE(scheduler_.IsLost(silent, now_));
}

TEST_F(SilentWorkerTest, RequestsWaitWhenAllAreStopped) {
  scheduler_.WorkerGone(1, WorkerEnd::kKilled, now_);
  scheduler_.WorkerGone(2, WorkerEnd::kKilled, now_);
  const PendingRequestPtr pending = Submit(1);
  EXPECT_THAT(Pass(ipc::kWorkerSilence.stopped, 0).sends, IsEmpty());
  EXPECT_FALSE(pending->slot.has_value());
  EXPECT_THAT(SlotsOf(scheduler_.WorkerReady(1, now_)), ElementsAre(1U));
}

TEST_F(SilentWorkerTest, StaysWithWhatOnlyItMayDo) {
  const PendingRequestPtr pending = Submit(1, {.only = 2});
  EXPECT_THAT(Pass(ipc::kWorkerSilence.stopped, 2).sends, IsEmpty());
  EXPECT_EQ(pending->slot, 2U);
}

TEST_F(SilentWorkerTest, SuspectOnItIsTriedElsewhere) {
  const PendingRequestPtr suspect = Submit(1);
  last_ = scheduler_.WorkerGone(*suspect->slot, WorkerEnd::kCrashed, now_);
  ASSERT_THAT(last_.sends, SizeIs(1));
  const Slot silent = last_.sends[0].slot;
  const RequestScheduler::Steps moved = Pass(ipc::kWorkerSilence.stopped, silent);
  ASSERT_THAT(moved.sends, SizeIs(1));
  EXPECT_NE(moved.sends[0].slot, silent);
  EXPECT_EQ(suspect->crashes, 0U);
}

// Workers whose answers took a millisecond so far, with a full budget.
class HedgeTest : public SilentWorkerTest {
 protected:
  HedgeTest() {
    for (RequestId id = 1000; id < 1300; ++id) {
      const PendingRequestPtr pending = Submit(id);
      EXPECT_TRUE(
          scheduler_.Answer(*pending->slot, id, kDecrypted, now_ + std::chrono::milliseconds(1))
              .has_value());
    }
  }

  // A request that was sent to a second worker.
  PendingRequestPtr Hedged(RequestId id) {
    PendingRequestPtr pending = Submit(id);
    EXPECT_THAT(Pass(1, *pending->slot).sends, SizeIs(1));
    EXPECT_TRUE(pending->hedge.has_value());
    return pending;
  }
};

TEST_F(HedgeTest, LateRequestGoesToASecondWorkerAndTheFirstAnswerWins) {
  const PendingRequestPtr pending = Hedged(1);
  const Slot first = *pending->slot;
  const Slot second = *pending->hedge;
  EXPECT_NE(first, second);
  const auto won = scheduler_.Answer(second, 1, kDecrypted, now_);
  ASSERT_TRUE(won.has_value());
  EXPECT_EQ(won->pending, pending);
  ASSERT_THAT(won->steps.stops, SizeIs(1));
  EXPECT_EQ(won->steps.stops[0].slot, first);
  const auto lost = scheduler_.Answer(first, 1, kDecrypted, now_);
  ASSERT_TRUE(lost.has_value());
  EXPECT_EQ(lost->pending, nullptr);
}

TEST_F(HedgeTest, RefusalThatIsAboutTheWorkerLeavesItToTheOther) {
  const PendingRequestPtr pending = Hedged(1);
  const Slot second = *pending->hedge;
  const auto refused = scheduler_.Answer(*pending->slot, 1, kNoToken, now_);
  ASSERT_TRUE(refused.has_value());
  EXPECT_EQ(refused->pending, nullptr);
  EXPECT_EQ(pending->slot, second);
  const auto also_refused = scheduler_.Answer(second, 1, kNoToken, now_);
  ASSERT_TRUE(also_refused.has_value());
  EXPECT_EQ(also_refused->pending, nullptr);
  const auto last = scheduler_.Answer(*pending->slot, 1, kNoToken, now_);
  ASSERT_TRUE(last.has_value());
  EXPECT_EQ(last->pending, pending) << "there is no other left";
}

TEST_F(HedgeTest, RefusalThatIsAboutTheRequestIsFinal) {
  const PendingRequestPtr pending = Hedged(1);
  const auto refused = scheduler_.Answer(*pending->slot, 1, kRefused, now_);
  ASSERT_TRUE(refused.has_value());
  EXPECT_EQ(refused->pending, pending);
  EXPECT_THAT(refused->steps.stops, SizeIs(1));
}

TEST_F(HedgeTest, ExitOfOneLeavesItToTheOther) {
  const PendingRequestPtr pending = Hedged(1);
  const Slot second = *pending->hedge;
  EXPECT_THAT(scheduler_.WorkerGone(*pending->slot, WorkerEnd::kCrashed, now_).sends, IsEmpty());
  EXPECT_EQ(pending->slot, second);
  EXPECT_FALSE(pending->hedge.has_value());
  EXPECT_TRUE(scheduler_.Answer(second, 1, kDecrypted, now_)->pending != nullptr);
}

TEST_F(HedgeTest, CancellationReachesBoth) {
  Hedged(1);
  EXPECT_THAT(scheduler_.Cancel(1, now_).stops, SizeIs(2));
}

TEST_F(HedgeTest, SecondWorkerNeedsATokenAndMustBeAllowed) {
  const PendingRequestPtr pending = Submit(1, {.not_this = 0});
  scheduler_.WorkerToken(*pending->slot == 1 ? 2 : 1, false);
  EXPECT_THAT(Pass(1, *pending->slot).sends, IsEmpty());
}

TEST_F(HedgeTest, BudgetBoundsTheCopies) {
  for (RequestId id = 1; id <= 50; ++id) {
    Submit(id);
  }
  EXPECT_THAT(Pass(1, 0).sends, SizeIs(static_cast<std::size_t>(HedgePolicy::kMaxBudget)));
  EXPECT_THAT(Pass(1, 0).sends, IsEmpty());
}

TEST_F(SilentWorkerTest, NothingIsHedgedBeforeTheBudgetIsEarned) {
  const PendingRequestPtr pending = Submit(1);
  EXPECT_THAT(Pass(ipc::kWorkerSilence.stopped - 1, *pending->slot).sends, IsEmpty());
}

TEST(HedgePolicyTest, LearnsTheDelayOfEachKind) {
  HedgePolicy policy;
  EXPECT_EQ(policy.DelayOf(0), HedgePolicy::kFirstDelay);
  for (int i = 0; i < 300; ++i) {
    policy.Completed(0, std::chrono::milliseconds(i % 10 == 0 ? 50 : 3));
    policy.Completed(1, std::chrono::microseconds(800));
  }
  EXPECT_EQ(policy.DelayOf(0), std::chrono::milliseconds(200));
  EXPECT_EQ(policy.DelayOf(1), HedgePolicy::kLeastDelay);
  EXPECT_EQ(policy.DelayOf(2), HedgePolicy::kFirstDelay);
}

// What asks for another worker than 1, or for 1 if there is no other.
class VerifierTest : public RequestSchedulerTest {
 protected:
  VerifierTest() {
    scheduler_.WorkerReady(0, kNow);
    scheduler_.WorkerReady(1, kNow);
  }

  RequestScheduler::Steps Verify(BootTime now) {
    const PendingRequestPtr pending =
        Make(++id_, {.not_this = 1, .fallback = WorkerChoice::Fallback::kSameWorker});
    pending->deadline = now + std::chrono::seconds(1);
    return scheduler_.Submit(pending, now);
  }

  RequestId id_ = 0;
};

TEST_F(VerifierTest, KilledOneIsWaitedForOverAMinute) {
  scheduler_.WorkerGone(0, WorkerEnd::kKilled, kNow);
  const RequestScheduler::Steps waits = Verify(kNow);
  EXPECT_TRUE(waits.sends.empty() && waits.ended.empty());
  EXPECT_THAT(SlotsOf(scheduler_.WorkerReady(0, kNow)), ElementsAre(0U));
  scheduler_.WorkerGone(0, WorkerEnd::kCrashed, kNow);
  const BootTime later = kNow + RequestScheduler::kLostFor;
  EXPECT_TRUE(Verify(later - BootTime(1)).sends.empty());
  scheduler_.Advance(later + std::chrono::seconds(2));
  EXPECT_THAT(SlotsOf(Verify(later)), ElementsAre(1U));
}

TEST_F(VerifierTest, OneThatCannotStartIsNotWaitedFor) {
  scheduler_.WorkerGone(0, WorkerEnd::kExited, kNow);
  EXPECT_THAT(SlotsOf(Verify(kNow)), ElementsAre(1U));
}

// Its channel is closed, and the spawner has not said yet whether it was killed.
TEST_F(VerifierTest, WaitsWhileNobodyKnowsWhyTheOtherOneLeft) {
  scheduler_.WorkerLeaving(0);
  EXPECT_TRUE(scheduler_.IsLost(0, kNow));
  EXPECT_TRUE(Verify(kNow).sends.empty());
  EXPECT_THAT(SlotsOf(scheduler_.WorkerGone(0, WorkerEnd::kExited, kNow)), ElementsAre(1U));
}

TEST_F(VerifierTest, ReplacedOneIsWaitedForEvenIfItExits) {
  scheduler_.WorkerReplaced(0, kNow);
  scheduler_.WorkerGone(0, WorkerEnd::kExited, kNow);
  EXPECT_TRUE(Verify(kNow).sends.empty());
  EXPECT_THAT(SlotsOf(scheduler_.WorkerReady(0, kNow)), ElementsAre(0U));
}

TEST_F(VerifierTest, ExitAfterAKillDoesNotEndTheWait) {
  scheduler_.WorkerGone(0, WorkerEnd::kKilled, kNow);
  scheduler_.WorkerGone(0, WorkerEnd::kExited, kNow);
  EXPECT_TRUE(Verify(kNow).sends.empty());
}

TEST_F(VerifierTest, StoppedOneIsWaitedFor) {
  scheduler_.Submit(Make(50, {.only = 0}), kNow);
  BootTime now = kNow;
  for (int tick = 0; tick < ipc::kWorkerSilence.stopped; ++tick) {
    now += kTick;
    scheduler_.Advance(now);
  }
  EXPECT_TRUE(scheduler_.IsLost(0, now));
  EXPECT_TRUE(Verify(now).sends.empty());
  EXPECT_THAT(SlotsOf(scheduler_.WorkerPong(0, now)), ElementsAre(0U));
}

}  // namespace
}  // namespace baokms::supervisor
