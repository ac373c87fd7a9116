#include "worker/token_source.h"

#include <chrono>
#include <optional>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "common/base/error.h"
#include "common/base/log.h"
#include "common/openbao/error_class.h"
#include "ipc/limits.h"
#include "proto/ipc.pb.h"
#include "tests/worker/fake_transit.h"
#include "tests/worker/worker_fixture.h"

namespace baokms::worker {
namespace {

using namespace std::chrono_literals;
using openbao::ErrorClass;
using Kind = TokenSource::Ready::Kind;

class TokenSourceTest : public WorkerFixture {
 protected:
  TokenSource::OnReady Keep() {
    return [this](TokenSource::Ready ready) {
      ready_.push_back(ready);
    };
  }

  std::string CurrentToken() {
    const TokenSource::Current current = tokens->Take();
    return current.token == nullptr ? "none" : Reveal(*current.token);
  }

  ipc::LoginFailed Failure(std::size_t index, ipc::Outcome outcome, const std::string& status) {
    ipc::LoginFailed message;
    message.set_request_id(logins[index].request_id());
    message.set_outcome(outcome);
    message.set_status(status);
    return message;
  }

  std::vector<TokenSource::Ready> ready_;
};

TEST_F(TokenSourceTest, AsksTheAgentAtStartAndKeepsItsToken) {
  tokens->Start();
  ASSERT_EQ(logins.size(), 1U);
  EXPECT_EQ(logins[0].request_id().size(), ipc::kLoginRequestIdSize);
  EXPECT_GT(logins[0].deadline_ns(), BootNow().count());
  EXPECT_EQ(CurrentToken(), "none");
  GiveToken(0, "s.first");
  EXPECT_EQ(CurrentToken(), "s.first");
  ASSERT_EQ(statuses.size(), 1U);
  EXPECT_TRUE(statuses[0].usable());
  EXPECT_EQ(statuses[0].status(), "ok");
  EXPECT_EQ(statuses[0].last_outcome(), ipc::OUTCOME_OK);
  EXPECT_FALSE(statuses[0].was_renewal());
  EXPECT_NEAR(static_cast<double>(statuses[0].expires_boottime_ns() - BootNow().count()), 1800e9,
              2e9);
  EXPECT_TRUE(log.records.empty());  // the agent has logged it
}

TEST_F(TokenSourceTest, NoMessageOrRecordHoldsTheToken) {
  transit.on_renew = [](const FakeTransit::Call&) {
    return FakeTransit::Reply<openbao::AuthValue>{ErrorClass::kUnavailable, {}};
  };
  tokens->Start();
  GiveToken(0, "s.unmistakable", 1);
  RunUntil([this] { return !log.records.empty(); });
  for (const ipc::TokenStatus& status : statuses) {
    EXPECT_EQ(status.SerializeAsString().find("unmistakable"), std::string::npos);
  }
  for (const LogRecord& record : log.records) {
    for (const auto& [key, value] : record.fields) {
      EXPECT_EQ(std::get<std::string>(value).find("unmistakable"), std::string::npos);
    }
  }
}

TEST_F(TokenSourceTest, DropsAnswersThatNobodyAskedFor) {
  tokens->Start();
  logins.push_back(logins[0]);
  logins[1].set_request_id(std::string(ipc::kLoginRequestIdSize, 'x'));
  GiveToken(1, "s.stranger");
  EXPECT_EQ(CurrentToken(), "none");
  EXPECT_TRUE(tokens->OnLoginFailed(Failure(1, ipc::OUTCOME_SEALED, "error")).has_value());
  EXPECT_TRUE(statuses.empty());
  GiveToken(0, "s.first");
  GiveToken(0, "s.second");  // the same id again
  EXPECT_EQ(CurrentToken(), "s.first");
}

TEST_F(TokenSourceTest, AMalformedTokenIsAViolation) {
  tokens->Start();
  std::vector<std::uint8_t> short_token(ipc::kTokenHeaderSize);
  EXPECT_FALSE(tokens->OnToken(short_token).has_value());
}

TEST_F(TokenSourceTest, WaitersGetTheTokenWhenItComes) {
  tokens->Start();
  tokens->Wait(BootNow() + 5s, Keep());
  tokens->Wait(BootNow() + 5s, Keep());
  RunBriefly();
  EXPECT_TRUE(ready_.empty());
  GiveToken(0, "s.first");
  ASSERT_EQ(ready_.size(), 2U);
  EXPECT_EQ(ready_[0].kind, Kind::kToken);
}

TEST_F(TokenSourceTest, WaitersLearnWhyThereIsNoTokenAtOnceDuringBackOff) {
  tokens->Start();
  tokens->Wait(BootNow() + 5s, Keep());
  ASSERT_TRUE(tokens->OnLoginFailed(Failure(0, ipc::OUTCOME_SEALED, "error")).has_value());
  ASSERT_EQ(ready_.size(), 1U);
  EXPECT_EQ(ready_[0].kind, Kind::kUnavailable);
  EXPECT_EQ(ready_[0].outcome, ipc::OUTCOME_SEALED);
  tokens->Wait(BootNow() + 5s, Keep());
  EXPECT_EQ(ready_.size(), 1U);  // never from inside the call
  RunUntil([this] { return ready_.size() == 2; });
  EXPECT_EQ(ready_[1].outcome, ipc::OUTCOME_SEALED);
  ASSERT_EQ(statuses.size(), 1U);
  EXPECT_FALSE(statuses[0].usable());
  EXPECT_EQ(statuses[0].last_outcome(), ipc::OUTCOME_SEALED);
}

TEST_F(TokenSourceTest, WaitsEndAtTheirDeadline) {
  tokens->Start();
  tokens->Wait(BootNow() + 10ms, Keep());
  RunUntil([this] { return !ready_.empty(); });
  EXPECT_EQ(ready_[0].kind, Kind::kTimedOut);
  GiveToken(0, "s.first");
  EXPECT_EQ(ready_.size(), 1U);
}

TEST_F(TokenSourceTest, CancelledWaitsAreNotCalled) {
  tokens->Start();
  tokens->CancelWait(tokens->Wait(BootNow() + 5s, Keep()));
  GiveToken(0, "s.first");
  RunBriefly();
  EXPECT_TRUE(ready_.empty());
}

TEST_F(TokenSourceTest, AgentThatDoesNotAnswerIsAskedAgain) {
  tokens->Start();
  RunUntil([this] { return logins.size() == 2; });
  EXPECT_NE(logins[0].request_id(), logins[1].request_id());
  ASSERT_EQ(statuses.size(), 1U);
  EXPECT_EQ(statuses[0].status(), "error");
  ASSERT_EQ(log.records.size(), 1U);
  EXPECT_EQ(log.records[0].event, "auth.login");
  EXPECT_EQ(log.records[0].level, LogLevel::kWarn);
  EXPECT_EQ(log.records[0].fields.back(),
            (std::pair<std::string, LogValue>("reason", std::string("timeout"))));
  GiveToken(0, "s.late");
  EXPECT_EQ(CurrentToken(), "none");
  GiveToken(1, "s.second");
  EXPECT_EQ(CurrentToken(), "s.second");
}

TEST_F(TokenSourceTest, RenewsBeforeTheEndAndKeepsTheToken) {
  transit.on_renew = [](const FakeTransit::Call& call) {
    EXPECT_EQ(call.token, "s.first");
    EXPECT_EQ(call.argument, "3600");
    return FakeTransit::Reply<openbao::AuthValue>{ErrorClass::kOk, {Secret("s.first"), 1800, true}};
  };
  tokens->Start();
  GiveToken(0, "s.first", 1);
  const std::uint64_t generation = tokens->Take().generation;
  RunUntil([this] { return statuses.size() == 2; });
  EXPECT_TRUE(statuses[1].was_renewal());
  EXPECT_EQ(statuses[1].status(), "ok");
  ASSERT_EQ(statuses[1].calls_size(), 1);
  EXPECT_EQ(statuses[1].calls(0).operation(), ipc::OPERATION_TOKEN_RENEW_SELF);
  EXPECT_EQ(CurrentToken(), "s.first");
  EXPECT_EQ(tokens->Take().generation, generation);
  ASSERT_EQ(log.records.size(), 1U);
  EXPECT_EQ(log.records[0].event, "auth.renewal");
  EXPECT_EQ(log.records[0].level, LogLevel::kDebug);
  EXPECT_EQ(logins.size(), 1U);
}

TEST_F(TokenSourceTest, RenewalWithAnotherTokenReplacesIt) {
  transit.on_renew = [](const FakeTransit::Call&) {
    return FakeTransit::Reply<openbao::AuthValue>{ErrorClass::kOk, {Secret("s.other"), 1800, true}};
  };
  tokens->Start();
  GiveToken(0, "s.first", 1);
  RunUntil([this] { return statuses.size() == 2; });
  EXPECT_EQ(CurrentToken(), "s.other");
}

TEST_F(TokenSourceTest, FailedRenewalLogsInAndSaysBoth) {
  transit.on_renew = [](const FakeTransit::Call&) {
    return FakeTransit::Reply<openbao::AuthValue>{ErrorClass::kUnavailable, {}};
  };
  tokens->Start();
  GiveToken(0, "s.first", 1);
  GiveToken(1, "s.second");
  EXPECT_EQ(CurrentToken(), "s.second");
  ASSERT_EQ(statuses.size(), 3U);
  EXPECT_EQ(statuses[1].status(), "error");
  EXPECT_TRUE(statuses[1].was_renewal());
  EXPECT_EQ(statuses[2].status(), "ok");
}

TEST_F(TokenSourceTest, RefusedProbeIsNoFailedRenewal) {
  transit.on_renew = [](const FakeTransit::Call&) {
    return FakeTransit::Reply<openbao::AuthValue>{ErrorClass::kInvalidRequest, {}};
  };
  tokens->Start();
  GiveToken(0, "s.first");
  tokens->WaitAfterRejection(1, Rejection::kDenied, BootNow() + 5s, Keep());
  RunUntil([this] { return !ready_.empty(); });
  EXPECT_EQ(ready_[0].kind, Kind::kKept);
  ASSERT_EQ(statuses.size(), 2U);
  EXPECT_EQ(statuses[1].status(), "");
  EXPECT_EQ(statuses[1].last_outcome(), ipc::OUTCOME_INVALID_REQUEST);
  ASSERT_EQ(statuses[1].calls_size(), 1);
  EXPECT_TRUE(log.records.empty());
}

TEST_F(TokenSourceTest, RejectedTokenIsForgottenAndReplaced) {
  tokens->Start();
  GiveToken(0, "s.first");
  const SecretBuffer& held = *tokens->Take().token;
  ASSERT_EQ(Reveal(held), "s.first");
  tokens->WaitAfterRejection(1, Rejection::kUnauthenticated, BootNow() + 5s, Keep());
  EXPECT_EQ(CurrentToken(), "none");
  EXPECT_EQ(held.size(), 0U);
  EXPECT_FALSE(statuses.back().usable());
  GiveToken(1, "s.second");
  ASSERT_EQ(ready_.size(), 1U);
  EXPECT_EQ(ready_[0].kind, Kind::kToken);
  EXPECT_EQ(CurrentToken(), "s.second");
}

TEST_F(TokenSourceTest, RenewalOfARejectedTokenIsCalledOff) {
  tokens->Start();
  GiveToken(0, "s.first", 1);
  RunUntil([this] { return transit.open() == 1; });
  tokens->NoteRejection(1, Rejection::kUnauthenticated);
  EXPECT_EQ(transit.open(), 0U);
  EXPECT_EQ(CurrentToken(), "none");
}

}  // namespace
}  // namespace baokms::worker
