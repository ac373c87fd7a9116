#include "authagent/login.h"

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include <gtest/gtest.h>

#include "authagent/credential.h"
#include "authagent/login_api.h"
#include "common/base/clock.h"
#include "common/base/error.h"
#include "common/base/event_loop.h"
#include "common/base/log.h"
#include "common/base/secret_buffer.h"
#include "common/openbao/api.h"
#include "common/openbao/tls.h"
#include "ipc/limits.h"
#include "ipc/token_message.h"
#include "proto/ipc.pb.h"

namespace baokms::authagent {
namespace {

using openbao::ErrorClass;

SecretBuffer Secret(std::string_view text) {
  std::vector<std::uint8_t> bytes(text.begin(), text.end());
  return *SecretBuffer::TakeFrom(bytes);
}

std::string Reveal(const SecretBuffer& secret) {
  return {secret.Reveal().begin(), secret.Reveal().end()};
}

class FakeCredential final : public Credential {
 public:
  void Acquire(BootTime deadline, std::function<void(Acquired)> done) override {
    ++reads;
    last_deadline = deadline;
    Acquired acquired;
    acquired.finding = finding;
    acquired.ends_unix = 4711;
    acquired.due_unix = due_unix;
    if (finding.status == AuthStatus::kOk) {
      acquired.request.operation = ipc::OPERATION_JWT_LOGIN;
      acquired.request.body.Append("the.jwt.text");
    }
    done(std::move(acquired));
  }

  [[nodiscard]] bool Replaced() const override { return replaced; }

  Finding finding{AuthStatus::kOk, ""};
  bool replaced = false;
  std::int64_t due_unix = 0;
  int reads = 0;
  BootTime last_deadline{};
};

// Keeps every login open until the test answers it.
class FakeApi final : public LoginApi {
 public:
  struct Call {
    openbao::CallContext context;
    std::string auth_mount;
    openbao::LoginRequest request;
    openbao::Done<openbao::AuthValue> done;
  };

  void Login(const openbao::CallContext& context,
             std::string_view auth_mount,
             openbao::LoginRequest request,
             openbao::Done<openbao::AuthValue> done) override {
    calls.push_back({context, std::string(auth_mount), std::move(request), std::move(done)});
  }

  void Answer(std::size_t call,
              ErrorClass error_class,
              openbao::AuthValue value = {},
              openbao::TlsAlert alert = openbao::kNoTlsAlert) {
    openbao::CallReport report;
    report.error_class = error_class;
    report.calls.push_back({ipc::OPERATION_JWT_LOGIN, error_class, 1234, "request-1", alert});
    calls[call].done(report, std::move(value));
  }

  std::vector<Call> calls;
};

class FakeOutlet final : public LoginOutlet {
 public:
  void SendToken(Slot slot, const ipc::TokenMessage& token) override {
    tokens.push_back(
        {slot, token.request_id, Reveal(token.token), token.lease_seconds, token.renewable});
  }

  void SendFailure(Slot slot, const ipc::LoginFailed& failure) override {
    failures.emplace_back(slot, failure);
  }

  void SendStatus(const ipc::AgentStatus& status) override { statuses.push_back(status); }

  struct Sent {
    Slot slot;
    ipc::LoginRequestId id;
    std::string token;
    std::uint32_t lease;
    bool renewable;
  };

  std::vector<Sent> tokens;
  std::vector<std::pair<Slot, ipc::LoginFailed>> failures;
  std::vector<ipc::AgentStatus> statuses;
};

class ListLog final : public LogSink {
 public:
  void Write(const LogRecord& record) override { records.push_back(record); }

  [[nodiscard]] bool Enabled(LogLevel /*level*/) const override { return true; }

  std::vector<LogRecord> records;
};

std::string Field(const LogRecord& record, std::string_view key) {
  for (const auto& [name, value] : record.fields) {
    if (name == key && std::holds_alternative<std::string>(value)) {
      return std::get<std::string>(value);
    }
  }
  return "";
}

class LoginServiceTest : public ::testing::Test {
 protected:
  void SetUp() override {
    loop_ = *EventLoop::Create();
    MakeService(12);
  }

  void MakeService(std::uint32_t budget) {
    login_ = std::make_unique<LoginService>(
        *loop_, credential_, api_, outlet_, log_,
        LoginOptions{"auth/k8s", 2, std::chrono::seconds(5), budget});
  }

  // Runs what was posted so far.
  void Turn() {
    loop_->Post([this] { loop_->Stop(); });
    ASSERT_TRUE(loop_->Run().has_value());
  }

  static ipc::LoginRequest Request(char id, BootTime deadline) {
    ipc::LoginRequest request;
    request.set_request_id(std::string(16, id));
    request.set_deadline_ns(deadline.count());
    return request;
  }

  void Ask(Slot slot, char id, BootTime within = std::chrono::seconds(60)) {
    login_->Request(slot, Request(id, BootNow() + within));
    Turn();
  }

  std::unique_ptr<EventLoop> loop_;
  FakeCredential credential_;
  FakeApi api_;
  FakeOutlet outlet_;
  ListLog log_;
  std::unique_ptr<LoginService> login_;
};

openbao::AuthValue Auth(std::string_view token, std::int64_t lease = 1800) {
  openbao::AuthValue value;
  value.token = Secret(token);
  value.lease_seconds = lease;
  value.renewable = true;
  return value;
}

TEST_F(LoginServiceTest, HandsTheTokenToTheWorkerThatAsked) {
  Ask(1, 'a');
  ASSERT_EQ(api_.calls.size(), 1U);
  EXPECT_EQ(api_.calls[0].auth_mount, "auth/k8s");
  EXPECT_EQ(api_.calls[0].request.operation, ipc::OPERATION_JWT_LOGIN);
  EXPECT_EQ(api_.calls[0].request.body.text(), "the.jwt.text");
  EXPECT_EQ(api_.calls[0].context.token, nullptr);
  EXPECT_EQ(api_.calls[0].context.connection, openbao::ConnectionUse::kFresh);

  api_.Answer(0, ErrorClass::kOk, Auth("s.token"));
  ASSERT_EQ(outlet_.tokens.size(), 1U);
  EXPECT_EQ(outlet_.tokens[0].slot, 1U);
  EXPECT_EQ(outlet_.tokens[0].token, "s.token");
  EXPECT_EQ(outlet_.tokens[0].lease, 1800U);
  EXPECT_TRUE(outlet_.tokens[0].renewable);
  ipc::LoginRequestId id{};
  id.fill('a');
  EXPECT_EQ(outlet_.tokens[0].id, id);
  EXPECT_TRUE(outlet_.failures.empty());
}

TEST_F(LoginServiceTest, ReportsAndRecordsASuccess) {
  Ask(0, 'a');
  api_.Answer(0, ErrorClass::kOk, Auth("s.token"));
  ASSERT_EQ(outlet_.statuses.size(), 1U);
  const ipc::AgentStatus& status = outlet_.statuses[0];
  EXPECT_EQ(status.status(), "ok");
  EXPECT_EQ(status.last_outcome(), ipc::OUTCOME_OK);
  EXPECT_EQ(status.credential_ends_unix(), 4711);
  EXPECT_TRUE(status.was_login());
  ASSERT_EQ(status.calls_size(), 1);
  EXPECT_EQ(status.calls(0).operation(), ipc::OPERATION_JWT_LOGIN);
  EXPECT_EQ(status.calls(0).duration_us(), 1234U);
  EXPECT_EQ(status.calls(0).request_id(), "request-1");
  ASSERT_EQ(log_.records.size(), 1U);
  EXPECT_EQ(log_.records[0].event, "auth.login");
  EXPECT_EQ(log_.records[0].level, LogLevel::kInfo);
  EXPECT_EQ(Field(log_.records[0], "status"), "ok");
}

TEST_F(LoginServiceTest, NamesEveryFailureOfOpenBao) {
  struct Row {
    ErrorClass error_class;
    ipc::Outcome outcome;
    std::string_view status;
  };

  const std::vector<Row> rows = {
      {ErrorClass::kInvalidRequest, ipc::OUTCOME_INVALID_REQUEST, "auth_failed"},
      {ErrorClass::kUnauthenticated, ipc::OUTCOME_UNAUTHENTICATED, "auth_failed"},
      {ErrorClass::kPermissionDenied, ipc::OUTCOME_PERMISSION_DENIED, "auth_failed"},
      {ErrorClass::kSealed, ipc::OUTCOME_SEALED, "error"},
      {ErrorClass::kRateLimited, ipc::OUTCOME_RATE_LIMITED, "error"},
      {ErrorClass::kUnavailable, ipc::OUTCOME_UNAVAILABLE, "error"},
      {ErrorClass::kTlsFailed, ipc::OUTCOME_TLS_FAILED, "error"},
      {ErrorClass::kDnsFailed, ipc::OUTCOME_DNS_FAILED, "error"},
      {ErrorClass::kConnectionFailed, ipc::OUTCOME_CONNECTION_FAILED, "error"},
      {ErrorClass::kTimeout, ipc::OUTCOME_TIMEOUT, "error"},
      {ErrorClass::kUndecodable, ipc::OUTCOME_UNDECODABLE, "error"},
  };
  MakeService(1000);
  for (std::size_t i = 0; i < rows.size(); ++i) {
    SCOPED_TRACE(openbao::ToString(rows[i].error_class));
    Ask(0, 'a');
    api_.Answer(i, rows[i].error_class, Auth("s.must-not-be-sent"));
    Turn();
    ASSERT_EQ(outlet_.failures.size(), i + 1);
    EXPECT_EQ(outlet_.failures[i].second.outcome(), rows[i].outcome);
    EXPECT_EQ(outlet_.failures[i].second.status(), rows[i].status);
    EXPECT_EQ(outlet_.failures[i].second.request_id(), std::string(16, 'a'));
    EXPECT_EQ(outlet_.statuses[i].last_outcome(), rows[i].outcome);
    EXPECT_EQ(log_.records[i].level, LogLevel::kWarn);
  }
  EXPECT_TRUE(outlet_.tokens.empty());
}

TEST_F(LoginServiceTest, DoesNotAskOpenBaoWithABadCredential) {
  credential_.finding = {AuthStatus::kJwtExpired, "the JWT expired 3 s ago"};
  Ask(0, 'a');
  EXPECT_TRUE(api_.calls.empty());
  ASSERT_EQ(outlet_.failures.size(), 1U);
  EXPECT_EQ(outlet_.failures[0].second.outcome(), ipc::OUTCOME_AUTH_FAILED);
  EXPECT_EQ(outlet_.failures[0].second.status(), "jwt_expired");
  EXPECT_EQ(outlet_.statuses[0].status(), "jwt_expired");
  EXPECT_EQ(Field(log_.records[0], "reason"), "the JWT expired 3 s ago");
}

TEST_F(LoginServiceTest, ReadsTheCredentialForEveryLogin) {
  for (int i = 0; i < 3; ++i) {
    Ask(0, 'a');
    api_.Answer(static_cast<std::size_t>(i), ErrorClass::kOk, Auth("s.token"));
    Turn();
  }
  EXPECT_EQ(credential_.reads, 3);
}

TEST_F(LoginServiceTest, RefusesATokenThatIsEmptyOrTooLong) {
  MakeService(1000);
  Ask(0, 'a');
  api_.Answer(0, ErrorClass::kOk);
  Turn();
  Ask(0, 'b');
  api_.Answer(1, ErrorClass::kOk, Auth(std::string(ipc::kMaxToken + 1, 't')));
  Turn();
  EXPECT_TRUE(outlet_.tokens.empty());
  ASSERT_EQ(outlet_.failures.size(), 2U);
  EXPECT_EQ(outlet_.failures[0].second.outcome(), ipc::OUTCOME_UNDECODABLE);
  EXPECT_EQ(outlet_.failures[1].second.outcome(), ipc::OUTCOME_UNDECODABLE);
}

TEST_F(LoginServiceTest, BoundsTheLeaseToWhatTheMessageHolds) {
  MakeService(1000);
  const std::vector<std::pair<std::int64_t, std::uint32_t>> rows = {
      {0, 0}, {-5, 0}, {1, 1}, {std::int64_t{1} << 40, 0xffffffffU}};
  for (std::size_t i = 0; i < rows.size(); ++i) {
    Ask(0, 'a');
    api_.Answer(i, ErrorClass::kOk, Auth("s.token", rows[i].first));
    Turn();
    EXPECT_EQ(outlet_.tokens[i].lease, rows[i].second);
  }
}

TEST_F(LoginServiceTest, RunsOneLoginPerSlotAndKeepsTheNewestRequest) {
  Ask(0, 'a');
  Ask(0, 'b');
  Ask(0, 'c');
  Ask(1, 'd');
  EXPECT_EQ(api_.calls.size(), 2U) << "one for each slot";
  ASSERT_EQ(outlet_.failures.size(), 1U);
  EXPECT_EQ(outlet_.failures[0].second.request_id(), std::string(16, 'b'));
  EXPECT_EQ(outlet_.failures[0].second.outcome(), ipc::OUTCOME_CANCELED);

  api_.Answer(0, ErrorClass::kOk, Auth("s.one"));
  Turn();
  ASSERT_EQ(api_.calls.size(), 3U) << "the newest request of slot 0 follows";
  api_.Answer(2, ErrorClass::kOk, Auth("s.two"));
  ASSERT_EQ(outlet_.tokens.size(), 2U);
  EXPECT_EQ(outlet_.tokens[1].id[0], 'c');
}

TEST_F(LoginServiceTest, HonoursTheEarlierOfDeadlineAndTimeout) {
  const BootTime before = BootNow();
  Ask(0, 'a', std::chrono::seconds(2));
  EXPECT_LE(api_.calls[0].context.deadline, BootNow() + std::chrono::seconds(2));
  EXPECT_GE(api_.calls[0].context.deadline, before + std::chrono::seconds(2));
  Ask(1, 'b', std::chrono::hours(1));
  EXPECT_LE(api_.calls[1].context.deadline, BootNow() + std::chrono::seconds(5));
  EXPECT_EQ(credential_.last_deadline, api_.calls[1].context.deadline);
}

TEST_F(LoginServiceTest, AnswersARequestWhoseDeadlinePassedWithoutReadingAnything) {
  login_->Request(0, Request('a', BootTime(1)));
  ASSERT_EQ(outlet_.failures.size(), 1U);
  EXPECT_EQ(outlet_.failures[0].second.outcome(), ipc::OUTCOME_TIMEOUT);
  EXPECT_EQ(credential_.reads, 0);
  EXPECT_TRUE(outlet_.statuses.empty());
}

TEST_F(LoginServiceTest, GivesEachSlotItsShareOfTheBudget) {
  for (std::size_t i = 0; i < 6; ++i) {
    Ask(0, 'a');
    api_.Answer(i, ErrorClass::kOk, Auth("s.token"));
    Turn();
  }
  Ask(0, 'b');
  EXPECT_EQ(api_.calls.size(), 6U) << "12 a minute for two slots";
  ASSERT_EQ(outlet_.failures.size(), 1U);
  EXPECT_EQ(outlet_.failures[0].second.outcome(), ipc::OUTCOME_LOGIN_BUDGET);
  const BootTime wait(outlet_.failures[0].second.budget_wait_ns());
  EXPECT_GT(wait, std::chrono::seconds(50)) << "until the first one is a minute old";
  EXPECT_LE(wait, std::chrono::seconds(61));
  Ask(1, 'c');
  EXPECT_EQ(api_.calls.size(), 7U) << "the other slot has its own";
}

TEST_F(LoginServiceTest, TheBudgetNeverReplacesTheLastRealCause) {
  for (std::size_t i = 0; i < 6; ++i) {
    Ask(0, 'a');
    api_.Answer(i, ErrorClass::kTlsFailed, {}, openbao::kCertificateRequired);
    Turn();
  }
  Ask(0, 'b');  // over the slot's share
  Ask(1, 'c');
  api_.Answer(6, ErrorClass::kLoginBudgetUsedUp);  // over the supervisor's
  ASSERT_EQ(outlet_.failures.size(), 8U);
  for (const auto& [slot, failure] : outlet_.failures) {
    EXPECT_EQ(failure.outcome(), ipc::OUTCOME_TLS_FAILED);
  }
  EXPECT_GT(outlet_.failures[6].second.budget_wait_ns(), 0);
  ASSERT_EQ(log_.records.size(), 8U);
  EXPECT_EQ(Field(log_.records[0], "tls_alert"), "certificate required");
  EXPECT_EQ(Field(log_.records[0], "login_budget"), "");
  for (const std::size_t i : {6U, 7U}) {
    EXPECT_EQ(Field(log_.records[i], "reason"), Field(log_.records[0], "reason"));
    EXPECT_EQ(Field(log_.records[i], "login_budget"), "used_up");
    EXPECT_EQ(outlet_.statuses[i].last_outcome(), ipc::OUTCOME_TLS_FAILED);
  }
}

TEST_F(LoginServiceTest, TheBudgetDoesNotReplaceThatTheTokenIsTooLongEither) {
  for (std::size_t i = 0; i < 6; ++i) {
    Ask(0, 'a');
    api_.Answer(i, ErrorClass::kOk, Auth(std::string(ipc::kMaxToken + 1, 't')));
    Turn();
  }
  Ask(0, 'b');
  ASSERT_EQ(outlet_.failures.size(), 7U);
  EXPECT_EQ(outlet_.failures[6].second.outcome(), ipc::OUTCOME_UNDECODABLE);
  ASSERT_EQ(log_.records.size(), 7U);
  EXPECT_EQ(Field(log_.records[6], "login_budget"), "used_up");
  EXPECT_EQ(Field(log_.records[6], "reason"), Field(log_.records[0], "reason"));
}

TEST_F(LoginServiceTest, WarnsOfTokensForALimitedNumberOfRequests) {
  Ask(0, 'a');
  openbao::AuthValue limited = Auth("s.token");
  limited.num_uses = 25;
  api_.Answer(0, ErrorClass::kOk, std::move(limited));
  ASSERT_EQ(outlet_.tokens.size(), 1U);
  ASSERT_EQ(log_.records.size(), 1U);
  EXPECT_EQ(log_.records[0].level, LogLevel::kWarn);
  EXPECT_EQ(Field(log_.records[0], "status"), "ok");
  EXPECT_NE(Field(log_.records[0], "reason").find("token_num_uses"), std::string::npos);
}

TEST_F(LoginServiceTest, AWorkerThatAsksWithoutEndCannotFloodTheSupervisor) {
  credential_.finding = {AuthStatus::kJwtInvalid, "exp is missing"};
  for (int i = 0; i < 1000; ++i) {
    Ask(0, 'a');
  }
  EXPECT_EQ(outlet_.failures.size(), 1000U) << "each request gets an answer";
  EXPECT_LE(outlet_.statuses.size(), 60U);
  EXPECT_LE(log_.records.size(), 60U);
  EXPECT_LE(credential_.reads, 60);
}

TEST_F(LoginServiceTest, ReportsAReplacedCredentialAtOnce) {
  login_->Watch();
  EXPECT_EQ(credential_.reads, 0);
  credential_.replaced = true;
  credential_.finding = {AuthStatus::kJwtInvalid, "iss is not auth.jwt.expectedIssuer"};
  login_->Watch();
  ASSERT_EQ(outlet_.statuses.size(), 1U);
  EXPECT_EQ(outlet_.statuses[0].status(), "jwt_invalid");
  EXPECT_EQ(outlet_.statuses[0].last_outcome(), ipc::OUTCOME_AUTH_FAILED);
  EXPECT_FALSE(outlet_.statuses[0].was_login());
  EXPECT_EQ(log_.records[0].event, "auth.credential");
  EXPECT_TRUE(api_.calls.empty());
}

TEST_F(LoginServiceTest, ComplainsAboutABadCredentialOnceAMinute) {
  credential_.finding = {AuthStatus::kOAuth2Rejected, "the token endpoint refused the grant"};
  login_->CheckCredential();
  EXPECT_EQ(credential_.reads, 1);
  for (int i = 0; i < 10; ++i) {
    login_->Watch();
  }
  EXPECT_EQ(credential_.reads, 1) << "the minute is not over";
  EXPECT_EQ(outlet_.statuses[0].credential_status(), "oauth2_rejected");
}

TEST_F(LoginServiceTest, SaysThatAReplacementIsOverdueWhileTheCredentialIsStillGood) {
  credential_.due_unix = UnixNow() - 1;
  login_->CheckCredential();
  ASSERT_EQ(log_.records.size(), 1U);
  EXPECT_EQ(log_.records[0].level, LogLevel::kWarn);
  EXPECT_EQ(Field(log_.records[0], "reason"), "the replacement of the credential is overdue");
  EXPECT_EQ(outlet_.statuses[0].credential_status(), "ok");
  EXPECT_EQ(outlet_.statuses[0].credential_due_unix(), credential_.due_unix);
  credential_.due_unix = UnixNow() + 3600;
  login_->CheckCredential();
  EXPECT_EQ(log_.records[1].level, LogLevel::kInfo);
}

TEST_F(LoginServiceTest, TellsTheCredentialsStandingApartFromTheLogins) {
  Ask(0, 'a');
  api_.Answer(0, ErrorClass::kPermissionDenied);
  EXPECT_EQ(outlet_.statuses[0].status(), "auth_failed");
  EXPECT_EQ(outlet_.statuses[0].credential_status(), "ok");
}

TEST_F(LoginServiceTest, PutsNoSecretIntoStatusFailureOrRecord) {
  Ask(0, 'a');
  api_.Answer(0, ErrorClass::kOk, Auth("s.secret-token"));
  Turn();
  Ask(0, 'b');
  api_.Answer(1, ErrorClass::kPermissionDenied);
  std::string all;
  for (const ipc::AgentStatus& status : outlet_.statuses) {
    all += status.SerializeAsString();
  }
  for (const auto& [slot, failure] : outlet_.failures) {
    all += failure.SerializeAsString();
  }
  for (const LogRecord& record : log_.records) {
    for (const auto& [key, value] : record.fields) {
      all += std::holds_alternative<std::string>(value) ? std::get<std::string>(value) : "";
    }
  }
  EXPECT_EQ(all.find("secret-token"), std::string::npos);
  EXPECT_EQ(all.find("the.jwt.text"), std::string::npos);
}

}  // namespace
}  // namespace baokms::authagent
