#include "supervisor/kms/flood_watch.h"

#include <chrono>
#include <cstdint>

#include <gtest/gtest.h>

#include "common/base/clock.h"

namespace baokms::supervisor {
namespace {

using std::chrono::seconds;

constexpr BootTime kNow = seconds(1000);

TEST(FloodSignsTest, MostLooksMustFindWhatWaits) {
  FloodSigns signs;
  for (int look = 1; look < kFloodLooks; ++look) {
    EXPECT_TRUE(signs.Look({kFloodBytes, false, 0}));
    EXPECT_FALSE(signs.Certain());
  }
  for (int look = 1; look < kFloodLooks; ++look) {
    signs.Look({kFloodBytes - 1, false, 0});
  }
  for (int look = 0; look < kFloodLooks; ++look) {
    EXPECT_FALSE(signs.Certain());
    EXPECT_TRUE(signs.Look({kFloodBytes, false, 0}));
  }
  EXPECT_TRUE(signs.Certain());
}

TEST(FloodSignsTest, ACompletedCallGivesMoreTime) {
  FloodSigns signs;
  EXPECT_FALSE(signs.Look({kFloodBytes, false, 1}));
  EXPECT_FALSE(signs.Useless());
  for (int look = 0; look < kFloodLooksAfterCalls; ++look) {
    EXPECT_FALSE(signs.Certain());
    EXPECT_TRUE(signs.Look({kFloodBytes, false, 1}));
  }
  EXPECT_TRUE(signs.Certain());
}

TEST(FloodSignsTest, UselessIsWhoNeverCompletedACallAndHadTimeOrAsksMuch) {
  FloodSigns fresh;
  for (int look = 0; look < kFloodLooks; ++look) {
    EXPECT_FALSE(fresh.Useless());
    EXPECT_FALSE(fresh.Look({1, false, 0, 1}));
  }
  EXPECT_TRUE(fresh.Useless());
  FloodSigns greedy;
  greedy.Look({0, false, 0, kManyCalls});
  EXPECT_TRUE(greedy.Useless());
}

TEST(FloodSignsTest, IdleIsWhoHasCompletedNothingForAWhile) {
  FloodSigns signs;
  signs.Look({0, false, 1});
  for (int look = 0; look < kIdleLooks; ++look) {
    EXPECT_FALSE(signs.Idle());
    EXPECT_FALSE(signs.Look({0, false, 1}));
  }
  EXPECT_TRUE(signs.Idle());
  signs.Look({0, false, 1, 1});
  EXPECT_FALSE(signs.Idle()) << "it waits for a call";
  signs.Look({0, false, 1, kManyCalls});
  EXPECT_TRUE(signs.Idle());
  signs.Look({0, false, 2});
  EXPECT_FALSE(signs.Idle());
}

TEST(FloodSignsTest, WhoGoesOnSendingWithoutReadingFloods) {
  FloodSigns unserved;
  EXPECT_TRUE(unserved.Look({1, true, 0}));
  EXPECT_TRUE(unserved.Certain());
  FloodSigns served;
  served.Look({1, true, 1});
  for (int look = 0; look < kFloodLooksAfterCalls; ++look) {
    EXPECT_FALSE(served.Certain());
    EXPECT_TRUE(served.Look({1, true, 1}));
  }
  EXPECT_TRUE(served.Certain());
}

TEST(FloodSignsTest, WhoFloodsHasLessTimeWhenMemoryIsShort) {
  FloodSigns signs;
  signs.Look({0, false, 1});
  for (int look = 0; look < kFloodLooksOfMemory; ++look) {
    EXPECT_FALSE(signs.Certain(true));
    EXPECT_TRUE(signs.Look({kFloodBytes, false, 1}));
  }
  EXPECT_TRUE(signs.Certain(true));
  EXPECT_FALSE(signs.Certain(false));
}

TEST(FloodSignsTest, WhoSendsMuchWithoutReadingHasLessTimeAlthoughItCompletedCalls) {
  FloodSigns signs;
  signs.Look({0, false, 1});
  for (int score = 0; score < kFloodLooksAfterCalls; score += kUnreadWeight) {
    EXPECT_FALSE(signs.Certain());
    EXPECT_TRUE(signs.Look({kFloodBytes, true, 1}));
  }
  EXPECT_TRUE(signs.Certain());
}

TEST(FloodSignsTest, WhoIsStoppedOrReadsLateDoesNotFlood) {
  FloodSigns stopped;
  FloodSigns late;
  stopped.Look({0, true, 50});
  for (std::uint64_t look = 1; look < 100; ++look) {
    EXPECT_FALSE(stopped.Look({0, true, 50}));
    EXPECT_FALSE(late.Look({1, true, look}));
  }
}

TEST(FloodSignsTest, MoreCallsThanAClientMayHaveAreAFlood) {
  FloodSigns signs;
  EXPECT_FALSE(signs.Look({0, false, 1, kFloodCalls - 1}));
  EXPECT_FALSE(signs.Certain());
  EXPECT_TRUE(signs.Look({0, false, 2, kFloodCalls}));
  EXPECT_TRUE(signs.Certain());
}

TEST(FloodPenaltiesTest, WhoRepeatsItWaitsLonger) {
  FloodPenalties penalties;
  EXPECT_EQ(penalties.Left(1, 2, kNow), BootTime::zero());
  BootTime now = kNow;
  for (BootTime expected = FloodPenalties::kFirst; expected < FloodPenalties::kMaxLength;
       expected *= 2) {
    penalties.Punish(1, 2, now);
    EXPECT_EQ(penalties.Left(1, 2, now), expected);
    penalties.Punish(1, 2, now);  // another connection of the same flood
    EXPECT_EQ(penalties.Left(1, 2, now), expected);
    now += expected;
    EXPECT_EQ(penalties.Left(1, 2, now), BootTime::zero());
  }
  for (int i = 0; i < 3; ++i) {
    penalties.Punish(1, 2, now);
    EXPECT_EQ(penalties.Left(1, 2, now), FloodPenalties::kMaxLength);
    now += FloodPenalties::kMaxLength;
  }
  EXPECT_EQ(penalties.Left(1, 3, kNow), BootTime::zero());
  EXPECT_EQ(penalties.Left(2, 2, kNow), BootTime::zero());
}

TEST(FloodPenaltiesTest, AProcessWithoutANumberNeverWaitsLonger) {
  FloodPenalties penalties;
  for (BootTime now = kNow; now < kNow + seconds(10); now += FloodPenalties::kFirst) {
    penalties.Punish(1, 0, now);
    EXPECT_EQ(penalties.Left(1, 0, now), FloodPenalties::kFirst);
  }
}

TEST(FloodPenaltiesTest, AreForgottenAndDoNotUseUpMemory) {
  FloodPenalties penalties;
  penalties.Punish(1, 1, kNow);
  penalties.Punish(1, 1, kNow + FloodPenalties::kFirst);
  const BootTime later = kNow + FloodPenalties::kForgotten + seconds(10);
  penalties.Punish(1, 1, later);
  EXPECT_EQ(penalties.Left(1, 1, later), FloodPenalties::kFirst);
  for (pid_t pid = 2; pid < 10'000; ++pid) {
    penalties.Punish(1, pid, later + std::chrono::milliseconds(1));
  }
  EXPECT_EQ(penalties.Left(1, 1, later), BootTime::zero()) << "the first one to end";
}

}  // namespace
}  // namespace baokms::supervisor
