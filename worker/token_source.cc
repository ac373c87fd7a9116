#include "worker/token_source.h"

#include <sys/random.h>

#include <algorithm>
#include <cstdlib>
#include <utility>

#include "common/base/backoff.h"
#include "common/base/error.h"
#include "common/openbao/error_class.h"
#include "worker/limits.h"
#include "worker/token_lease.h"

namespace baokms::worker {
namespace {

using openbao::ErrorClass;

// Returns an unpredictable id, which matches a login answer to its request. Aborts when the kernel
// provides no random bytes, because no request would be safe then.
ipc::LoginRequestId NewLoginRequestId() {
  ipc::LoginRequestId id{};
  // Requests of up to 256 bytes are never interrupted (getrandom(2)).
  if (::getrandom(id.data(), id.size(), 0) != static_cast<ssize_t>(id.size())) {
    std::abort();
  }
  return id;
}

std::string_view RenewalStatus(ErrorClass error_class) {
  switch (error_class) {
    case ErrorClass::kOk:
      return "ok";
    case ErrorClass::kUnauthenticated:
    case ErrorClass::kPermissionDenied:
      return "auth_failed";
    default:
      return "error";
  }
}

}  // namespace

TokenSource::TokenSource(TokenSurroundings surroundings,
                         TokenTiming timing,
                         std::int64_t renewal_increment_seconds)
    : around_(std::move(surroundings)),
      renewal_increment_seconds_(renewal_increment_seconds),
      machine_(timing, UniformRandom) {
}

TokenSource::~TokenSource() {
  for (const auto& [id, waiter] : waiters_) {
    around_.loop.Cancel(waiter.timer);
  }
  around_.loop.Cancel(timer_);
  around_.loop.Cancel(settle_);
  around_.transit.Cancel(renewal_);
}

void TokenSource::Start() {
  Tick();
}

void TokenSource::Tick() {
  Apply(machine_.Tick(Instant::Now()));
}

void TokenSource::Apply(const TokenActions& actions) {
  for (const TokenAction& action : actions) {
    ApplyOne(action);
  }
  Rearm();
  Settle();
}

void TokenSource::ApplyOne(const TokenAction& action) {
  switch (action.kind) {
    case TokenAction::Kind::kLogin:
      AskForLogin(action);
      break;
    case TokenAction::Kind::kRenew:
    case TokenAction::Kind::kProbe:
      Renew(action);
      break;
    case TokenAction::Kind::kCancelRenewal:
      around_.transit.Cancel(std::exchange(renewal_, 0));
      break;
    case TokenAction::Kind::kAdoptToken:
      token_ = std::move(incoming_);
      break;
    case TokenAction::Kind::kDropToken:
      token_ = SecretBuffer();
      ReportState(machine_.last_outcome(), {});
      break;
    case TokenAction::Kind::kLoginTimedOut:
      login_.reset();
      Report(Attempt::kLogin, ipc::OUTCOME_TIMEOUT, "error", {});
      // The agent logs all other ends of a login.
      LogAttempt("auth.login", "error", ErrorClass::kTimeout);
      break;
  }
}

void TokenSource::AskForLogin(const TokenAction& action) {
  login_ = PendingLogin{action.attempt, NewLoginRequestId()};
  login_->request.set_request_id(login_->id.data(), login_->id.size());
  login_->request.set_deadline_ns(action.deadline.count());
  around_.ask_agent(login_->request);
}

void TokenSource::AskAgain() {
  if (login_) {
    around_.ask_agent(login_->request);
  }
}

void TokenSource::Renew(const TokenAction& action) {
  openbao::CallContext context;
  context.deadline = action.deadline;
  context.token = &token_;
  renewal_ = around_.transit.RenewSelf(
      context, renewal_increment_seconds_,
      [this, action](openbao::CallReport report, openbao::AuthValue value) {
        OnRenewed(action, std::move(report), std::move(value));
      });
}

void TokenSource::OnRenewed(const TokenAction& action,
                            openbao::CallReport report,
                            openbao::AuthValue value) {
  renewal_ = 0;
  RenewalEnd end;
  end.error_class = report.error_class;
  end.grant = {value.lease_seconds, value.renewable};
  if (value.token.size() > 0 && !(value.token == token_)) {
    end.token = RenewalEnd::Token::kReplaced;
    incoming_ = std::move(value.token);
  }
  Apply(machine_.RenewalEnded(action.attempt, end, Instant::Now()));
  incoming_ = SecretBuffer();
  if (action.kind == TokenAction::Kind::kProbe && report.error_class != ErrorClass::kOk) {
    // Refused probes concern a policy; they are not failed renewals.
    ReportState(openbao::ToOutcome(report.error_class), report.calls);
    return;
  }
  Report(Attempt::kRenewal, openbao::ToOutcome(report.error_class),
         RenewalStatus(report.error_class), report.calls);
  LogAttempt("auth.renewal", RenewalStatus(report.error_class), report.error_class);
}

Status TokenSource::OnToken(std::span<std::uint8_t> body) {
  ipc::TokenMessage message = BAOKMS_TRY(ipc::DecodeToken(body));
  if (!login_ || message.request_id != login_->id) {
    return {};
  }
  const std::uint64_t attempt = login_->attempt;
  login_.reset();
  incoming_ = std::move(message.token);
  const TokenGrant grant{message.lease_seconds, message.renewable};
  Apply(machine_.LoginSucceeded(attempt, grant, Instant::Now()));
  incoming_ = SecretBuffer();
  Report(Attempt::kLogin, ipc::OUTCOME_OK, "ok", {});
  return {};
}

Status TokenSource::OnLoginFailed(const ipc::LoginFailed& message) {
  if (!login_ || !std::ranges::equal(message.request_id(), login_->id, [](char a, std::uint8_t b) {
        return static_cast<std::uint8_t>(a) == b;
      })) {
    return {};
  }
  const std::uint64_t attempt = login_->attempt;
  login_.reset();
  Apply(machine_.LoginFailed(attempt, message.outcome(), Instant::Now(),
                             BootTime(message.budget_wait_ns())));
  Report(Attempt::kLogin, message.outcome(), message.status(), {});
  return {};
}

TokenSource::Current TokenSource::Take() {
  if (machine_.Ask(Instant::Now()) != TokenStateMachine::Answer::kUsable) {
    return {};
  }
  return {&token_, machine_.generation()};
}

TokenSource::WaitId TokenSource::Wait(BootTime deadline, OnReady ready) {
  const WaitId id = AddWaiter(std::nullopt, deadline, std::move(ready));
  SettleSoon();
  return id;
}

TokenSource::WaitId TokenSource::WaitAfterRejection(std::uint64_t generation,
                                                    Rejection how,
                                                    BootTime deadline,
                                                    OnReady ready) {
  NoteRejection(generation, how);
  const WaitId id = AddWaiter(generation, deadline, std::move(ready));
  SettleSoon();
  return id;
}

void TokenSource::NoteRejection(std::uint64_t generation, Rejection how) {
  const TokenActions actions = machine_.Rejected(generation, how, Instant::Now());
  for (const TokenAction& action : actions) {
    ApplyOne(action);
  }
  Rearm();
  SettleSoon();
}

TokenSource::WaitId TokenSource::AddWaiter(std::optional<std::uint64_t> rejected,
                                           BootTime deadline,
                                           OnReady ready) {
  const WaitId id = ++last_wait_;
  const EventLoop::TimerId timer = around_.loop.At(deadline, [this, id] {
    const OnReady due = std::move(waiters_.extract(id).mapped().ready);
    due({Ready::Kind::kTimedOut, ipc::OUTCOME_TIMEOUT});
  });
  waiters_.emplace(id, Waiter{rejected, timer, std::move(ready)});
  return id;
}

void TokenSource::CancelWait(WaitId wait) {
  const auto found = waiters_.find(wait);
  if (found != waiters_.end()) {
    around_.loop.Cancel(found->second.timer);
    waiters_.erase(found);
  }
}

void TokenSource::SettleSoon() {
  if (settle_ == 0) {
    settle_ = around_.loop.After({}, [this] {
      settle_ = 0;
      Tick();  // a call may be waiting because the token expired
    });
  }
}

std::optional<TokenSource::Ready> TokenSource::Decide(const Waiter& waiter) {
  const Instant now = Instant::Now();
  const TokenStateMachine::Answer answer =
      waiter.rejected ? machine_.AskAfterRejection(*waiter.rejected, now) : machine_.Ask(now);
  switch (answer) {
    case TokenStateMachine::Answer::kUsable:
      return Ready{Ready::Kind::kToken, ipc::OUTCOME_OK};
    case TokenStateMachine::Answer::kUnavailable:
      return Ready{Ready::Kind::kUnavailable, machine_.last_outcome()};
    case TokenStateMachine::Answer::kKept:
      return Ready{Ready::Kind::kKept, ipc::OUTCOME_UNSPECIFIED};
    case TokenStateMachine::Answer::kWait:
      break;
  }
  return std::nullopt;
}

// A callback may end other waits and start new ones, so each wait is looked up again.
void TokenSource::Settle() {
  std::vector<WaitId> ids;
  ids.reserve(waiters_.size());
  for (const auto& [id, waiter] : waiters_) {
    ids.push_back(id);
  }
  for (const WaitId id : ids) {
    const auto found = waiters_.find(id);
    if (found == waiters_.end()) {
      continue;
    }
    if (const std::optional<Ready> ready = Decide(found->second)) {
      around_.loop.Cancel(found->second.timer);
      const OnReady due = std::move(found->second.ready);
      waiters_.erase(found);
      due(*ready);
    }
  }
}

void TokenSource::Rearm() {
  around_.loop.Cancel(timer_);
  timer_ = 0;
  if (const std::optional<BootTime> wake = machine_.NextWake(Instant::Now())) {
    timer_ = around_.loop.At(*wake, [this] {
      timer_ = 0;
      Tick();
    });
  }
}

ipc::TokenStatus TokenSource::StatusNow() {
  const Instant now = Instant::Now();
  ipc::TokenStatus status;
  status.set_usable(machine_.Ask(now) == TokenStateMachine::Answer::kUsable);
  if (const std::optional<BootTime> left = machine_.Remaining(now)) {
    status.set_expires_boottime_ns((now.boot + *left).count());
  }
  return status;
}

void TokenSource::ReportState(ipc::Outcome outcome, const std::vector<openbao::CallRecord>& calls) {
  ipc::TokenStatus message = StatusNow();
  message.set_last_outcome(outcome);
  openbao::AppendCalls(calls, *message.mutable_calls());
  around_.tell_supervisor(message);
}

void TokenSource::Report(Attempt attempt,
                         ipc::Outcome outcome,
                         std::string_view status,
                         const std::vector<openbao::CallRecord>& calls) {
  ipc::TokenStatus message = StatusNow();
  message.set_last_outcome(outcome);
  message.set_status(std::string(status));
  message.set_was_renewal(attempt == Attempt::kRenewal);
  openbao::AppendCalls(calls, *message.mutable_calls());
  around_.tell_supervisor(message);
}

void TokenSource::LogAttempt(const std::string& event,
                             std::string_view status,
                             ErrorClass error_class) {
  const LogLevel level = error_class == ErrorClass::kOk ? LogLevel::kDebug : LogLevel::kWarn;
  if (!around_.log.Enabled(level)) {
    return;
  }
  LogRecord record{level, event, {{"operation", event}, {"status", std::string(status)}}};
  if (error_class != ErrorClass::kOk) {
    record.fields.emplace_back("reason", std::string(openbao::ToString(error_class)));
  }
  around_.log.Write(record);
}

}  // namespace baokms::worker
