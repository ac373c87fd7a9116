#include "worker/token_state_machine.h"

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "common/base/clock.h"
#include "common/openbao/error_class.h"
#include "proto/ipc.pb.h"
#include "tests/worker/token_state_machine_fixture.h"
#include "worker/limits.h"
#include "worker/token_lease.h"

namespace baokms::worker {
namespace {

using TokenStateMachineTest = TokenStateMachineFixture;

TEST_F(TokenStateMachineTest, LogsInAtOnceAndOnlyOnce) {
  EXPECT_EQ(Ask(), Answer::kUnavailable);
  EXPECT_EQ(Tick(), "login 1 in 5000");
  EXPECT_EQ(Ask(), Answer::kWait);
  EXPECT_EQ(Tick(), "");
  EXPECT_EQ(Granted(1, kHalfHour), "adopt");
  EXPECT_EQ(Ask(), Answer::kUsable);
  EXPECT_EQ(Tick(), "");
}

TEST_F(TokenStateMachineTest, IgnoresAnswersToOtherAttempts) {
  ASSERT_EQ(Tick(), "login 1 in 5000");
  EXPECT_EQ(Granted(2, kHalfHour), "");
  EXPECT_EQ(Refused(7, ipc::OUTCOME_SEALED), "");
  EXPECT_EQ(Renewed(1, ErrorClass::kOk, kHalfHour), "");
  EXPECT_EQ(Ask(), Answer::kWait);
}

TEST_F(TokenStateMachineTest, RefreshesAtTheEarlierOfLeadAndThirdOfTheLease) {
  struct Row {
    const char* name;
    std::int64_t lease_s;
    double random;
    BootTime after;
  };

  const std::vector<Row> rows = {
      {"long lease", 1800, 0.0, 1500s},
      {"short lease", 30, 0.0, 20s},
      {"lease of three seconds", 3, 0.0, 2s},
      {"jitter comes earlier", 1800, 0.8, 1440s},
  };
  for (const Row& row : rows) {
    SCOPED_TRACE(row.name);
    random_ = row.random;
    machine_ = TokenStateMachine(Timing(), [this] { return random_; });
    LogIn({row.lease_s, true});
    EXPECT_EQ(TickFor(row.after - 1s), "");
    EXPECT_EQ(TickFor(1s), "renew 2 in 2500");
    EXPECT_EQ(Ask(), Answer::kUsable);
  }
}

TEST_F(TokenStateMachineTest, ChangedLeadHoldsFromTheNextGrantOn) {
  LogIn();
  machine_.SetRefreshBefore(10min);
  EXPECT_EQ(TickFor(1499s), "");
  ASSERT_EQ(TickFor(1s), "renew 2 in 2500");
  EXPECT_EQ(Renewed(2, ErrorClass::kOk, kHalfHour), "");
  EXPECT_EQ(TickFor(1199s), "");
  EXPECT_EQ(TickFor(1s), "renew 3 in 2500");
}

TEST_F(TokenStateMachineTest, RenewalKeepsTheTokenAndItsGeneration) {
  LogIn();
  const std::uint64_t generation = machine_.generation();
  ASSERT_EQ(TickFor(1500s), "renew 2 in 2500");
  EXPECT_EQ(Renewed(2, ErrorClass::kOk, kHalfHour), "");
  EXPECT_EQ(machine_.generation(), generation);
  EXPECT_EQ(machine_.Remaining(now_), BootTime(1800s));
  EXPECT_EQ(TickFor(1499s), "");
  EXPECT_EQ(TickFor(1s), "renew 3 in 2500");
}

// OpenBao may have started to count as soon as it was asked.
TEST_F(TokenStateMachineTest, LeaseCountsFromTheQuestionAndNotFromTheAnswer) {
  ASSERT_EQ(Tick(), "login 1 in 5000");
  Pass(4s);
  ASSERT_EQ(Granted(1, kHalfHour), "adopt");
  EXPECT_EQ(machine_.Remaining(now_), BootTime(1796s));
  ASSERT_EQ(TickFor(1496s), "renew 2 in 2500");
  Pass(2s);
  ASSERT_EQ(Renewed(2, ErrorClass::kOk, kHalfHour), "");
  EXPECT_EQ(machine_.Remaining(now_), BootTime(1798s));
}

TEST_F(TokenStateMachineTest, RenewalThatBringsAnotherTokenReplacesIt) {
  LogIn();
  const std::uint64_t generation = machine_.generation();
  ASSERT_EQ(TickFor(1500s), "renew 2 in 2500");
  EXPECT_EQ(Text(machine_.RenewalEnded(
                2, {ErrorClass::kOk, kHalfHour, RenewalEnd::Token::kReplaced}, now_)),
            "adopt");
  EXPECT_EQ(machine_.generation(), generation + 1);
}

TEST_F(TokenStateMachineTest, FailedRenewalFallsBackToLoginInTheSameDeadline) {
  LogIn();
  ASSERT_EQ(TickFor(1500s), "renew 2 in 2500");
  Pass(2s);
  EXPECT_EQ(Renewed(2, ErrorClass::kUnavailable), "login 3 in 3000");
  EXPECT_EQ(Ask(), Answer::kUsable);
  EXPECT_EQ(Granted(3, kHalfHour), "adopt");
}

TEST_F(TokenStateMachineTest, RefusedRenewalOfAProvenTokenDropsIt) {
  LogIn();
  ASSERT_EQ(TickFor(1500s), "renew 2 in 2500");
  ASSERT_EQ(Renewed(2, ErrorClass::kOk, kHalfHour), "");
  ASSERT_EQ(TickFor(1500s), "renew 3 in 2500");
  EXPECT_EQ(Renewed(3, ErrorClass::kPermissionDenied), "drop, login 4 in 5000");
  EXPECT_EQ(Ask(), Answer::kWait);
}

TEST_F(TokenStateMachineTest, LogsInAnewWhenTheTokenCannotBeRenewed) {
  LogIn({1800, false});
  EXPECT_EQ(TickFor(1500s), "login 2 in 5000");
}

TEST_F(TokenStateMachineTest, LogsInAnewWhenTheMethodBindsTokensToTheAgent) {
  TokenTiming timing = Timing();
  timing.mode = RenewalMode::kByLogin;
  machine_ = TokenStateMachine(timing, [] { return 0.0; });
  LogIn();
  EXPECT_EQ(TickFor(1500s), "login 2 in 5000");
}

TEST_F(TokenStateMachineTest, LogsInNextWhenRenewalsBringHardlyAnything) {
  LogIn();
  ASSERT_EQ(TickFor(1500s), "renew 2 in 2500");
  ASSERT_EQ(Renewed(2, ErrorClass::kOk, {600, true}), "");
  EXPECT_EQ(TickFor(299s), "");
  EXPECT_EQ(TickFor(1s), "login 3 in 5000");
}

TEST_F(TokenStateMachineTest, LogsInAtOnceWhenARenewalBringsLessThanTheWholeLifesLead) {
  LogIn({20, true});
  ASSERT_EQ(TickFor(13400ms), "renew 2 in 2500");
  EXPECT_EQ(Renewed(2, ErrorClass::kOk, {6, true}), "");
  EXPECT_EQ(TickFor(0s), "login 3 in 5000");
  EXPECT_EQ(Ask(), Answer::kUsable);
}

TEST_F(TokenStateMachineTest, DropsAnExpiredTokenAlsoWhileItIsRenewed) {
  LogIn({3, true});
  ASSERT_EQ(TickFor(2s), "renew 2 in 2500");
  EXPECT_EQ(TickFor(1s), "cancel, drop, login 3 in 5000");
  EXPECT_EQ(Ask(), Answer::kWait);
  EXPECT_EQ(Renewed(2, ErrorClass::kOk, kHalfHour), "");
  EXPECT_EQ(Ask(), Answer::kWait);
}

TEST_F(TokenStateMachineTest, LoginWithoutAnswerIsAFailureAndItsLateAnswerIsUnwanted) {
  ASSERT_EQ(Tick(), "login 1 in 5000");
  EXPECT_EQ(TickFor(4999ms), "");
  EXPECT_EQ(TickFor(1ms), "timed out");
  EXPECT_EQ(Ask(), Answer::kUnavailable);
  EXPECT_EQ(machine_.last_outcome(), ipc::OUTCOME_LOGIN_TIMEOUT) << "as if the agent had said so";
  EXPECT_EQ(Granted(1, kHalfHour), "");
  EXPECT_EQ(Ask(), Answer::kUnavailable);
  EXPECT_EQ(TickFor(749ms), "");
  EXPECT_EQ(TickFor(1ms), "login 2 in 5000");
}

TEST_F(TokenStateMachineTest, BacksOffDoublingUpToItsCap) {
  random_ = 0.5;  // the middle of the jitter
  std::uint64_t attempt = 0;
  for (const BootTime wait : {1000ms, 2000ms, 4000ms, 8000ms, 16000ms, 30000ms, 30000ms}) {
    ASSERT_EQ(TickFor(0s), "login " + std::to_string(++attempt) + " in 5000");
    ASSERT_EQ(Refused(attempt, ipc::OUTCOME_CONNECTION_FAILED), "");
    EXPECT_EQ(machine_.NextWake(now_), now_.boot + wait);
    EXPECT_EQ(Ask(), Answer::kUnavailable);
    Pass(wait);
  }
  ASSERT_EQ(Tick(), "login 8 in 5000");
  ASSERT_EQ(Granted(8, {30, false}), "adopt");
  ASSERT_EQ(TickFor(30s), "login 9 in 5000");
  ASSERT_EQ(Refused(9, ipc::OUTCOME_SEALED), "");
  EXPECT_EQ(machine_.NextWake(now_), now_.boot + 1s);
}

TEST_F(TokenStateMachineTest, BackOffVariesByAQuarterAndNeverExceedsItsCap) {
  struct Row {
    double random;
    std::uint32_t failures;
    BootTime wait;
  };

  for (const Row& row :
       {Row{0.0, 1, 750ms}, Row{1.0, 1, 1250ms}, Row{0.0, 6, 22500ms}, Row{1.0, 6, 30000ms}}) {
    random_ = row.random;
    machine_ = TokenStateMachine(Timing(), [this] { return random_; });
    std::uint64_t attempt = 0;
    BootTime wait{};
    for (std::uint32_t i = 0; i < row.failures; ++i) {
      ASSERT_NE(TickFor(0s), "");
      ASSERT_EQ(Refused(++attempt, ipc::OUTCOME_SEALED), "");
      wait = *machine_.NextWake(now_) - now_.boot;
      Pass(wait);
    }
    EXPECT_EQ(wait, row.wait);
  }
}

TEST_F(TokenStateMachineTest, WaitsForTheLoginBudgetAndNoLonger) {
  random_ = 0.5;
  ASSERT_EQ(Tick(), "login 1 in 5000");
  ASSERT_EQ(Refused(1, ipc::OUTCOME_AUTH_FAILED), "");
  ASSERT_EQ(TickFor(1s), "login 2 in 5000");
  ASSERT_EQ(HeldBack(2, 12345ms), "");
  EXPECT_EQ(Ask(), Answer::kUnavailable);
  EXPECT_EQ(TickFor(12344ms), "");
  ASSERT_EQ(TickFor(1ms), "login 3 in 5000");
  ASSERT_EQ(Refused(3, ipc::OUTCOME_AUTH_FAILED), "");
  EXPECT_EQ(machine_.NextWake(now_), now_.boot + 2s) << "back-off goes on where it was";
  ASSERT_EQ(TickFor(2s), "login 4 in 5000");
  ASSERT_EQ(HeldBack(4, 24h), "");
  EXPECT_EQ(machine_.NextWake(now_), now_.boot + 70s);
  EXPECT_EQ(HeldBack(4, 1s), "") << "an answer counts once";
  EXPECT_EQ(machine_.NextWake(now_), now_.boot + 70s);
}

TEST_F(TokenStateMachineTest, TheLoginBudgetNeverReplacesTheLastRealCause) {
  ASSERT_EQ(Tick(), "login 1 in 5000");
  ASSERT_EQ(Refused(1, ipc::OUTCOME_LOGIN_BUDGET), "");
  EXPECT_EQ(machine_.last_outcome(), ipc::OUTCOME_AUTH_FAILED) << "there is no other cause yet";
  machine_ = TokenStateMachine(Timing(), [] { return 0.0; });
  ASSERT_EQ(Tick(), "login 1 in 5000");
  ASSERT_EQ(Refused(1, ipc::OUTCOME_TLS_FAILED), "");
  ASSERT_EQ(TickFor(1s), "login 2 in 5000");
  ASSERT_EQ(Refused(2, ipc::OUTCOME_LOGIN_BUDGET), "");
  EXPECT_EQ(machine_.last_outcome(), ipc::OUTCOME_TLS_FAILED);
}

TEST_F(TokenStateMachineTest, TellsCallersOutagesByNameAndAllElseAsAuthentication) {
  struct Row {
    ipc::Outcome outcome;
    ipc::Outcome told;
  };

  const std::vector<Row> rows = {
      {ipc::OUTCOME_SEALED, ipc::OUTCOME_SEALED},
      {ipc::OUTCOME_UNAVAILABLE, ipc::OUTCOME_UNAVAILABLE},
      {ipc::OUTCOME_PRECONDITION_FAILED, ipc::OUTCOME_PRECONDITION_FAILED},
      {ipc::OUTCOME_RATE_LIMITED, ipc::OUTCOME_RATE_LIMITED},
      {ipc::OUTCOME_TLS_FAILED, ipc::OUTCOME_TLS_FAILED},
      {ipc::OUTCOME_DNS_FAILED, ipc::OUTCOME_DNS_FAILED},
      {ipc::OUTCOME_CONNECTION_FAILED, ipc::OUTCOME_CONNECTION_FAILED},
      {ipc::OUTCOME_TIMEOUT, ipc::OUTCOME_LOGIN_TIMEOUT},
      {ipc::OUTCOME_PERMISSION_DENIED, ipc::OUTCOME_AUTH_FAILED},
      {ipc::OUTCOME_INVALID_REQUEST, ipc::OUTCOME_AUTH_FAILED},
      {ipc::OUTCOME_NOT_FOUND, ipc::OUTCOME_AUTH_FAILED},
      {ipc::OUTCOME_INTERNAL, ipc::OUTCOME_AUTH_FAILED},
  };
  for (const Row& row : rows) {
    machine_ = TokenStateMachine(Timing(), [] { return 0.0; });
    ASSERT_EQ(Tick(), "login 1 in 5000");
    ASSERT_EQ(Refused(1, row.outcome), "");
    EXPECT_EQ(machine_.last_outcome(), row.told) << ipc::Outcome_Name(row.outcome);
  }
}

TEST_F(TokenStateMachineTest, FailedRefreshLeavesTheLiveTokenInUse) {
  LogIn({1800, false});
  ASSERT_EQ(TickFor(1500s), "login 2 in 5000");
  ASSERT_EQ(Refused(2, ipc::OUTCOME_SEALED), "");
  EXPECT_EQ(Ask(), Answer::kUsable);
  EXPECT_EQ(TickFor(749ms), "");
  EXPECT_EQ(TickFor(1ms), "login 3 in 5000");
}

TEST_F(TokenStateMachineTest, TokenWithoutLeaseNeverExpiresButIsLookedAt) {
  LogIn({0, false});
  EXPECT_EQ(machine_.Remaining(now_), std::nullopt);
  EXPECT_EQ(TickFor(1h - 1s), "");
  EXPECT_EQ(TickFor(1s), "probe 2 in 5000");
  EXPECT_EQ(Renewed(2, ErrorClass::kInvalidRequest), "");
  EXPECT_EQ(Ask(), Answer::kUsable);
  EXPECT_EQ(TickFor(1h), "probe 3 in 5000");
  EXPECT_EQ(Renewed(3, ErrorClass::kPermissionDenied), "");
  EXPECT_EQ(Ask(), Answer::kUsable);
  EXPECT_EQ(TickFor(1h), "probe 4 in 5000");
  EXPECT_EQ(Renewed(4, ErrorClass::kUnauthenticated), "drop, login 5 in 5000");
}

TEST_F(TokenStateMachineTest, TokenExpiresByWhicheverClockIsAhead) {
  struct Row {
    const char* name;
    BootTime boot;
    BootTime wall;
    Answer answer;
  };

  const std::vector<Row> rows = {
      {"both before", 1799s, 1799s, Answer::kUsable},
      {"suspended machine", 1800s, 0s, Answer::kUnavailable},
      {"wall clock stepped forward", 1s, 1800s, Answer::kUnavailable},
      {"wall clock stepped back", 1799s, -24h, Answer::kUsable},
      {"wall clock far back, time up", 1800s, -24h, Answer::kUnavailable},
  };
  for (const Row& row : rows) {
    SCOPED_TRACE(row.name);
    machine_ = TokenStateMachine(Timing(), [] { return 0.0; });
    LogIn();
    EXPECT_EQ(machine_.Ask({now_.boot + row.boot, now_.wall + row.wall}), row.answer);
  }
}

TEST_F(TokenStateMachineTest, ClockThatStepsBackRevivesNothing) {
  LogIn();
  const Instant ahead{now_.boot + 1s, now_.wall + 1800s};
  EXPECT_EQ(machine_.Ask(ahead), Answer::kUnavailable);
  const Instant back{now_.boot + 2s, now_.wall + 2s};
  EXPECT_EQ(machine_.Ask(back), Answer::kUnavailable);
  EXPECT_EQ(machine_.Remaining(back), BootTime::zero());
}

}  // namespace
}  // namespace baokms::worker
