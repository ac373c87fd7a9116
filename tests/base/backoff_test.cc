// The waits of each policy, as docs/contract.md states them.

#include "common/base/backoff.h"

#include <chrono>
#include <vector>

#include <gtest/gtest.h>

namespace baokms {
namespace {

using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;

std::vector<BootTime> Waits(Backoff& backoff, int count) {
  std::vector<BootTime> waits;
  for (int i = 0; i < count; ++i) {
    waits.push_back(backoff.Next());
  }
  return waits;
}

TEST(BackoffTest, GrowsToItsMaximumAndStartsAgain) {
  Backoff restart(backoff::kChildRestart);
  for (int sequence = 0; sequence < 2; ++sequence) {
    EXPECT_EQ(
        Waits(restart, 10),
        (std::vector<BootTime>{BootTime::zero(), milliseconds(50), milliseconds(100),
                               milliseconds(200), milliseconds(400), milliseconds(800),
                               milliseconds(1600), milliseconds(3200), seconds(5), seconds(5)}));
    EXPECT_EQ(restart.count(), 10U);
    restart.Reset();
    EXPECT_EQ(restart.count(), 0U);
  }
}

TEST(BackoffTest, KeepsALowerMaximum) {
  Backoff login(backoff::kLogin.LimitedTo(seconds(3)));
  EXPECT_EQ(Waits(login, 4),
            (std::vector<BootTime>{seconds(1), seconds(2), seconds(3), seconds(3)}));
  Backoff cooldown(backoff::kRejectedToken.LimitedTo(seconds(1)));
  EXPECT_EQ(cooldown.Next(), seconds(1));
  Backoff unlimited(backoff::kRejectedToken.LimitedTo(minutes(60)));
  EXPECT_EQ(Waits(unlimited, 8).back(), minutes(5));
}

struct JitterRow {
  const char* name;
  BackoffPolicy policy;
  BootTime shortest;
  BootTime longest;
};

constexpr JitterRow kJitters[] = {
    {"login", backoff::kLogin, milliseconds(750), milliseconds(1250)},
    {"probe", backoff::kProbe, milliseconds(800), milliseconds(1200)},
    {"breaker", backoff::kOpenBreaker, seconds(24), seconds(36)},
    {"repeated request", backoff::kHttpRepeat, milliseconds(5), milliseconds(50)},
    {"restart", backoff::kChildRestart, BootTime::zero(), BootTime::zero()},
};

TEST(BackoffTest, JittersInBothDirections) {
  for (const JitterRow& row : kJitters) {
    SCOPED_TRACE(row.name);
    EXPECT_NEAR(static_cast<double>(Backoff(row.policy).Next(0).count()),
                static_cast<double>(row.shortest.count()), 10);
    EXPECT_NEAR(static_cast<double>(Backoff(row.policy).Next(1).count()),
                static_cast<double>(row.longest.count()), 10);
    for (int i = 0; i < 100; ++i) {
      const BootTime wait = Backoff(row.policy).Next(UniformRandom());
      EXPECT_GE(wait, row.shortest - BootTime(10));
      EXPECT_LE(wait, row.longest);
    }
  }
}

TEST(BackoffTest, JitterNeverExceedsTheMaximum) {
  Backoff login(backoff::kLogin);
  for (int i = 0; i < 20; ++i) {
    EXPECT_LE(login.Next(0.999), minutes(1));
  }
}

TEST(UniformRandomTest, CoversTheIntervalWithoutOne) {
  double lowest = 1;
  double highest = 0;
  for (int i = 0; i < 2000; ++i) {
    const double number = UniformRandom();
    ASSERT_GE(number, 0);
    ASSERT_LT(number, 1);
    lowest = number < lowest ? number : lowest;
    highest = number > highest ? number : highest;
  }
  EXPECT_LT(lowest, 0.1);
  EXPECT_GT(highest, 0.9);
}

}  // namespace
}  // namespace baokms
