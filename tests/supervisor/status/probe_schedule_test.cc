// When probes may run: breaker, retry plan, and the budget of discovery reads.

#include "supervisor/status/probe_schedule.h"

#include <chrono>

#include "common/base/token_bucket.h"
#include "fake_scheduler.h"
#include "gtest/gtest.h"
#include "supervisor/status/discovery.h"

namespace baokms::supervisor {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using Counted = Breaker::Counted;
using Phase = Breaker::Phase;

class BreakerTest : public ::testing::Test {
 protected:
  void Fail(int times, Counted counted = Counted::kYes) {
    for (int i = 0; i < times; ++i) {
      ASSERT_TRUE(breaker_.Allows());
      breaker_.Failed(counted);
    }
  }

  FakeScheduler scheduler_;
  Breaker breaker_{scheduler_};
};

TEST_F(BreakerTest, OpensAfterThreeCountedFailuresInARow) {
  Fail(2);
  breaker_.Succeeded();
  Fail(2);
  EXPECT_EQ(breaker_.phase(), Phase::kClosed);
  Fail(1);
  EXPECT_EQ(breaker_.phase(), Phase::kOpen);
  EXPECT_FALSE(breaker_.Allows());
}

TEST_F(BreakerTest, DoesNotCountQuickRepeats) {
  Fail(100, Counted::kNo);
  EXPECT_EQ(breaker_.phase(), Phase::kClosed);
  Fail(2);
  Fail(5, Counted::kNo);
  Fail(1);
  EXPECT_EQ(breaker_.phase(), Phase::kOpen);
}

TEST_F(BreakerTest, AllowsATrialAfterThirtySeconds) {
  Fail(3);
  scheduler_.Advance(seconds(30) - milliseconds(1));
  EXPECT_FALSE(breaker_.Allows());
  scheduler_.Advance(milliseconds(1));
  EXPECT_TRUE(breaker_.Allows());
  EXPECT_EQ(breaker_.phase(), Phase::kHalfOpen);
}

TEST_F(BreakerTest, OpensAgainWhenTheTrialFailsAndClosesWhenItSucceeds) {
  Fail(3);
  scheduler_.Advance(seconds(30));
  Fail(1, Counted::kNo);
  EXPECT_FALSE(breaker_.Allows());
  scheduler_.Advance(seconds(30));
  ASSERT_TRUE(breaker_.Allows());
  breaker_.Succeeded();
  Fail(2);
  EXPECT_EQ(breaker_.phase(), Phase::kClosed) << "the count starts anew";
}

TEST_F(BreakerTest, AllowsATrialEarlierOnASignOfLife) {
  Fail(3);
  breaker_.AllowTrial();
  EXPECT_TRUE(breaker_.Allows());
  EXPECT_EQ(breaker_.phase(), Phase::kHalfOpen);
}

TEST(RetryPlanTest, RepeatsQuicklyThreeTimesPerStreak) {
  FakeScheduler scheduler;
  RetryPlan plan(scheduler, {.until_first_success = seconds(7), .regular = seconds(30)});
  EXPECT_FALSE(plan.NextIsQuick());
  for (int streak = 0; streak < 2; ++streak) {
    for (const BootTime expected : {seconds(1), seconds(2), seconds(5)}) {
      EXPECT_EQ(plan.AfterFailure(), expected);
      EXPECT_TRUE(plan.NextIsQuick());
    }
    EXPECT_EQ(plan.AfterFailure(), streak == 0 ? seconds(7) : seconds(30));
    EXPECT_FALSE(plan.NextIsQuick());
    (void)plan.AfterFailure();
    EXPECT_FALSE(plan.NextIsQuick());
    EXPECT_EQ(plan.AfterSuccess(), seconds(30));
    EXPECT_FALSE(plan.NextIsQuick());
  }
}

TEST(DiscoveryReadsTest, AllowsThreeAtOnceAndOneEveryFiveSeconds) {
  TokenBucket budget(kMaxDiscoveryReads, kDiscoveryReadsPerSecond);
  BootTime now = seconds(1000);
  for (int i = 0; i < 3; ++i) {
    EXPECT_TRUE(budget.Take(now));
  }
  EXPECT_FALSE(budget.Take(now));
  EXPECT_FALSE(budget.Take(now + seconds(4)));
  EXPECT_TRUE(budget.Take(now + seconds(5)));
  EXPECT_FALSE(budget.Take(now + seconds(9)));
  now += seconds(1000);
  for (int i = 0; i < 3; ++i) {
    EXPECT_TRUE(budget.Take(now)) << "never more than the burst";
  }
  EXPECT_FALSE(budget.Take(now));
}

TEST(DiscoveryReadsTest, AveragesOnePerFiveSecondsUnderConstantDemand) {
  TokenBucket budget(kMaxDiscoveryReads, kDiscoveryReadsPerSecond);
  int taken = 0;
  for (int i = 0; i < 10'000; ++i) {
    taken += budget.Take(seconds(1000) + milliseconds(100) * i) ? 1 : 0;
  }
  EXPECT_GE(taken, 200);
  EXPECT_LE(taken, 203);
}

}  // namespace
}  // namespace baokms::supervisor
