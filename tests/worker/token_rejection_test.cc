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
#include "worker/token_state_machine.h"

namespace baokms::worker {
namespace {

using TokenRejectionTest = TokenStateMachineFixture;

TEST_F(TokenRejectionTest, UnauthenticatedReplacesTheTokenAtOnce) {
  LogIn();
  EXPECT_EQ(Rejected(Rejection::kUnauthenticated), "drop, login 2 in 5000");
  EXPECT_EQ(AskAfterRejection(1), Answer::kWait);
  EXPECT_EQ(Granted(2, kHalfHour), "adopt");
  EXPECT_EQ(AskAfterRejection(1), Answer::kUsable);
}

TEST_F(TokenRejectionTest, RejectionOfAnOldTokenUsesTheCurrentOne) {
  LogIn();
  ASSERT_EQ(Rejected(Rejection::kUnauthenticated), "drop, login 2 in 5000");
  ASSERT_EQ(Granted(2, kHalfHour), "adopt");
  EXPECT_EQ(Text(machine_.Rejected(1, Rejection::kUnauthenticated, now_)), "");
  EXPECT_EQ(AskAfterRejection(1), Answer::kUsable);
}

TEST_F(TokenRejectionTest, AnyAnswerButARefusalProvesTheTokenAlive) {
  for (const ErrorClass answer :
       {ErrorClass::kOk, ErrorClass::kInvalidRequest, ErrorClass::kNotFound,
        ErrorClass::kRateLimited, ErrorClass::kSealed, ErrorClass::kUnavailable,
        ErrorClass::kUnknown, ErrorClass::kUndecodable}) {
    SCOPED_TRACE(openbao::ToString(answer));
    machine_ = TokenStateMachine(Timing(), [] { return 0.0; });
    LogIn();
    EXPECT_EQ(Rejected(Rejection::kDenied), "probe 2 in 5000");
    EXPECT_EQ(AskAfterRejection(1), Answer::kWait);
    EXPECT_EQ(Ask(), Answer::kUsable);
    EXPECT_EQ(Renewed(2, answer, kHalfHour), "");
    EXPECT_EQ(AskAfterRejection(1), Answer::kKept);
    Pass(kProbeResultLifetime - 1s);
    EXPECT_EQ(Rejected(Rejection::kDenied), "");
    EXPECT_EQ(AskAfterRejection(1), Answer::kKept);
    Pass(1s);
    EXPECT_EQ(Rejected(Rejection::kDenied), "probe 3 in 5000");
  }
}

TEST_F(TokenRejectionTest, ProbeThatDoesNotReachOpenBaoProvesNothing) {
  for (const ErrorClass failure : {ErrorClass::kTlsFailed, ErrorClass::kDnsFailed,
                                   ErrorClass::kConnectionFailed, ErrorClass::kTimeout}) {
    machine_ = TokenStateMachine(Timing(), [] { return 0.0; });
    LogIn();
    ASSERT_EQ(Rejected(Rejection::kDenied), "probe 2 in 5000");
    EXPECT_EQ(Renewed(2, failure), "");
    EXPECT_EQ(AskAfterRejection(1), Answer::kKept);
    EXPECT_EQ(Rejected(Rejection::kDenied), "probe 3 in 5000");
  }
}

TEST_F(TokenRejectionTest, DenialsShareOneProbe) {
  LogIn();
  ASSERT_EQ(Rejected(Rejection::kDenied), "probe 2 in 5000");
  EXPECT_EQ(Rejected(Rejection::kDenied), "");
  EXPECT_EQ(Rejected(Rejection::kDenied), "");
}

TEST_F(TokenRejectionTest, DeniedTokenThatOnceRenewedIsDead) {
  LogIn();
  ASSERT_EQ(TickFor(1500s), "renew 2 in 2500");
  ASSERT_EQ(Renewed(2, ErrorClass::kOk, kHalfHour), "");
  Pass(kProbeResultLifetime);
  ASSERT_EQ(Rejected(Rejection::kDenied), "probe 3 in 5000");
  EXPECT_EQ(Renewed(3, ErrorClass::kPermissionDenied), "drop, login 4 in 5000");
  EXPECT_EQ(Granted(4, kHalfHour), "adopt");
  EXPECT_EQ(AskAfterRejection(1), Answer::kUsable);
}

TEST_F(TokenRejectionTest, DeniedTokenThatNeverRenewedIsReplacedWithinItsCooldown) {
  LogIn();
  ASSERT_EQ(Rejected(Rejection::kDenied), "probe 2 in 5000");
  EXPECT_EQ(Renewed(2, ErrorClass::kPermissionDenied), "login 3 in 5000");
  EXPECT_EQ(Ask(), Answer::kUsable);  // until another one is there
  EXPECT_EQ(AskAfterRejection(1), Answer::kWait);
  ASSERT_EQ(Granted(3, kHalfHour), "adopt");
  EXPECT_EQ(AskAfterRejection(1), Answer::kUsable);

  ASSERT_EQ(Rejected(Rejection::kDenied), "probe 4 in 5000");
  EXPECT_EQ(Renewed(4, ErrorClass::kPermissionDenied), "");
  EXPECT_EQ(AskAfterRejection(2), Answer::kKept);
  EXPECT_EQ(Ask(), Answer::kUsable);
  Pass(4999ms);
  EXPECT_EQ(Rejected(Rejection::kDenied), "");
  Pass(1ms);
  EXPECT_EQ(Rejected(Rejection::kDenied), "login 5 in 5000");
}

TEST_F(TokenRejectionTest, CooldownsDoubleUpToTheirCapAndEndWithQuiet) {
  LogIn();
  std::uint64_t attempt = 1;
  for (const BootTime cooldown : {5s, 10s, 20s, 30s, 30s}) {
    const std::string login = "login " + std::to_string(++attempt) + " in 5000";
    ASSERT_EQ(Rejected(Rejection::kUnauthenticated), "drop, " + login);
    ASSERT_EQ(Granted(attempt, kHalfHour), "adopt");
    Pass(cooldown);
  }
  ASSERT_EQ(Rejected(Rejection::kUnauthenticated), "drop, login 7 in 5000");
  ASSERT_EQ(Granted(7, kHalfHour), "adopt");
  Pass(kQuietPeriod);
  ASSERT_EQ(Rejected(Rejection::kUnauthenticated), "drop, login 8 in 5000");
  ASSERT_EQ(Granted(8, kHalfHour), "adopt");
  Pass(5s);
  EXPECT_EQ(Rejected(Rejection::kUnauthenticated), "drop, login 9 in 5000");
}

TEST_F(TokenRejectionTest, DeadTokenInACooldownIsDroppedAndReplacedAtItsEnd) {
  LogIn();
  ASSERT_EQ(Rejected(Rejection::kUnauthenticated), "drop, login 2 in 5000");
  ASSERT_EQ(Granted(2, kHalfHour), "adopt");
  Pass(1s);
  EXPECT_EQ(Rejected(Rejection::kUnauthenticated), "drop");
  EXPECT_EQ(AskAfterRejection(2), Answer::kKept);
  EXPECT_EQ(Ask(), Answer::kUnavailable);
  EXPECT_EQ(machine_.last_outcome(), ipc::OUTCOME_AUTH_FAILED);
  EXPECT_EQ(TickFor(3999ms), "");
  EXPECT_EQ(TickFor(1ms), "login 3 in 5000");
}

TEST_F(TokenRejectionTest, ALoginAtTheEndOfACooldownBeginsTheNextOne) {
  LogIn();
  ASSERT_EQ(Rejected(Rejection::kUnauthenticated), "drop, login 2 in 5000");
  ASSERT_EQ(Granted(2, kHalfHour), "adopt");
  ASSERT_EQ(Rejected(Rejection::kUnauthenticated), "drop");
  ASSERT_EQ(TickFor(5s), "login 3 in 5000");
  ASSERT_EQ(Granted(3, kHalfHour), "adopt");
  EXPECT_EQ(Rejected(Rejection::kUnauthenticated), "drop");
  EXPECT_EQ(TickFor(9999ms), "");
  EXPECT_EQ(TickFor(1ms), "login 4 in 5000");
}

TEST_F(TokenRejectionTest, LateRenewalDoesNotReviveARejectedToken) {
  LogIn();
  ASSERT_EQ(TickFor(1500s), "renew 2 in 2500");
  EXPECT_EQ(Rejected(Rejection::kUnauthenticated), "cancel, drop, login 3 in 5000");
  EXPECT_EQ(Renewed(2, ErrorClass::kOk, kHalfHour), "");
  EXPECT_EQ(Ask(), Answer::kWait);
  EXPECT_EQ(Refused(3, ipc::OUTCOME_SEALED), "");
  EXPECT_EQ(Renewed(2, ErrorClass::kOk, kHalfHour), "");
  EXPECT_EQ(Ask(), Answer::kUnavailable);
  EXPECT_EQ(AskAfterRejection(1), Answer::kKept);
}

TEST_F(TokenRejectionTest, RefreshUnderWayAnswersADenial) {
  LogIn();
  ASSERT_EQ(TickFor(1500s), "renew 2 in 2500");
  EXPECT_EQ(Rejected(Rejection::kDenied), "");
  EXPECT_EQ(AskAfterRejection(1), Answer::kWait);
  EXPECT_EQ(Renewed(2, ErrorClass::kOk, kHalfHour), "");
  EXPECT_EQ(AskAfterRejection(1), Answer::kKept);
}

TEST_F(TokenRejectionTest, BackOffAlsoHoldsBackTheReplacementOfARejectedToken) {
  LogIn({1800, false});
  ASSERT_EQ(TickFor(1500s), "login 2 in 5000");
  ASSERT_EQ(Refused(2, ipc::OUTCOME_SEALED), "");
  EXPECT_EQ(Rejected(Rejection::kUnauthenticated), "drop");
  EXPECT_EQ(machine_.last_outcome(), ipc::OUTCOME_SEALED);
  EXPECT_EQ(TickFor(750ms), "login 3 in 5000");
}

}  // namespace
}  // namespace baokms::worker
