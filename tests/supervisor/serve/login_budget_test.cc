#include "supervisor/serve/login_budget.h"

#include <chrono>

#include <gtest/gtest.h>

#include "common/base/clock.h"

namespace baokms::supervisor {
namespace {

using namespace std::chrono_literals;

constexpr BootTime kStart = 1000s;

TEST(LoginBudgetTest, AllowsSoManyInAnyMinute) {
  LoginBudget budget(3);
  EXPECT_EQ(budget.Remaining(kStart), 3U);
  EXPECT_TRUE(budget.Take({1, 1}, kStart));
  EXPECT_TRUE(budget.Take({1, 2}, kStart + 10s));
  EXPECT_TRUE(budget.Take({2, 1}, kStart + 20s));
  EXPECT_FALSE(budget.Take({2, 2}, kStart + 59s));
  EXPECT_EQ(budget.Remaining(kStart + 59s), 0U);
  EXPECT_EQ(budget.Remaining(kStart + 60s), 1U);
  EXPECT_TRUE(budget.Take({2, 2}, kStart + 60s));
  EXPECT_FALSE(budget.Take({2, 3}, kStart + 60s));
  EXPECT_EQ(budget.Remaining(kStart + 1h), 3U);
}

TEST(LoginBudgetTest, TakesBackConnectionsThatLedNowhere) {
  LoginBudget budget(1);
  ASSERT_TRUE(budget.Take({7, 1}, kStart));
  budget.GiveBack({7, 2});
  budget.GiveBack({8, 1});
  EXPECT_FALSE(budget.Take({7, 2}, kStart));
  budget.GiveBack({7, 1});
  budget.GiveBack({7, 1});
  EXPECT_EQ(budget.Remaining(kStart), 1U);
  EXPECT_TRUE(budget.Take({7, 2}, kStart));
  EXPECT_FALSE(budget.Take({7, 3}, kStart));
}

TEST(LoginBudgetTest, AllowsOneWhenItIsToldNone) {
  LoginBudget budget(0);
  EXPECT_TRUE(budget.Take({1, 1}, kStart));
  EXPECT_FALSE(budget.Take({1, 2}, kStart));
}

}  // namespace
}  // namespace baokms::supervisor
