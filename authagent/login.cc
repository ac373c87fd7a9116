#include "authagent/login.h"

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <iterator>
#include <limits>
#include <string_view>
#include <utility>

#include "common/base/error.h"
#include "common/base/secret_buffer.h"
#include "common/base/tls_alert_text.h"
#include "common/openbao/error_class.h"
#include "common/openbao/tls.h"
#include "ipc/limits.h"

namespace baokms::authagent {
namespace {

// Requests of one slot that are processed per minute. A worker's own back-off allows far fewer;
// each request costs one read of the credential, one status and one log record.
constexpr std::size_t kMaxRequestsPerMinute = 60;

// How often a credential that is refused, or overdue for replacement, is checked and logged.
constexpr BootTime kComplaint = std::chrono::minutes(1);

// A warning: OpenBao revokes a token after that many requests, and the worker's next request is
// then denied before the worker logs in again.
constexpr std::string_view kLimitedUses =
    "the token can be used for a limited number of requests only: set token_num_uses of the role "
    "to 0";

// The supervisor, and OpenBao's audit log, count a login slightly later than the agent; this delay
// ensures that their minute has passed as well.
constexpr BootTime kCountedLater = std::chrono::seconds(1);

// Returns the status of a login that reached the network. A refusal by OpenBao differs from an
// outage.
Finding ToFinding(const openbao::CallReport& report) {
  switch (report.error_class) {
    case openbao::ErrorClass::kOk:
      return {AuthStatus::kOk, ""};
    case openbao::ErrorClass::kInvalidRequest:
    case openbao::ErrorClass::kUnauthenticated:
    case openbao::ErrorClass::kPermissionDenied:
      return {AuthStatus::kAuthFailed, std::string(openbao::ToString(report.error_class))};
    case openbao::ErrorClass::kTlsFailed:
      if (report.tls_alert() == openbao::kCertificateRequired) {
        return {AuthStatus::kError,
                "tls_failed: OpenBao's listener requires client certificates, which workers do not "
                "have (tls_require_and_verify_client_cert)"};
      }
      break;
    default:
      break;
  }
  return {AuthStatus::kError, std::string(openbao::ToString(report.error_class))};
}

std::uint32_t LeaseSeconds(std::int64_t lease) {
  constexpr std::int64_t kMaxSeconds = std::numeric_limits<std::uint32_t>::max();
  return static_cast<std::uint32_t>(std::clamp<std::int64_t>(lease, 0, kMaxSeconds));
}

}  // namespace

LoginService::LoginService(EventLoop& loop,
                           Credential& credential,
                           LoginApi& api,
                           LoginOutlet& outlet,
                           LogSink& log,
                           LoginOptions options)
    : loop_(loop),
      credential_(credential),
      api_(api),
      outlet_(outlet),
      log_(log),
      options_(std::move(options)) {
  // Each slot has a share, so that one worker cannot use up the logins of the others.
  const std::size_t share = options_.budget_per_minute / std::max(1U, options_.workers);
  for (Slot slot = 0; slot < options_.workers; ++slot) {
    slots_.push_back({std::nullopt, std::nullopt,
                      MinuteWindow<>(std::max(share, kMaxRequestsPerMinute)),
                      MinuteWindow<>(share)});
  }
}

void LoginService::Request(Slot slot, const ipc::LoginRequest& request) {
  Ticket ticket;
  std::ranges::copy(request.request_id(), ticket.id.begin());
  ticket.deadline = BootTime(request.deadline_ns());
  SlotState& state = slots_[slot];
  if (state.waiting) {
    SendFailure(slot, *state.waiting, ipc::OUTCOME_CANCELED, AuthStatus::kError);
  }
  state.waiting = ticket;
  Begin(slot);
}

// Starts the waiting request of a slot that has none in progress.
void LoginService::Begin(Slot slot) {
  SlotState& state = slots_[slot];
  if (state.active || !state.waiting) {
    return;
  }
  state.active = std::exchange(state.waiting, std::nullopt);
  const BootTime now = BootNow();
  state.active->deadline = std::min(state.active->deadline, now + options_.timeout);
  if (state.active->deadline <= now) {
    RefuseQuietly(slot, ipc::OUTCOME_TIMEOUT);
    return;
  }
  if (!state.requests.Take(now)) {
    RefuseQuietly(slot, ipc::OUTCOME_AUTH_FAILED);
    return;
  }
  credential_.Acquire(state.active->deadline,
                      [this, slot](Acquired acquired) { OnCredential(slot, std::move(acquired)); });
}

// Sends no status and logs no record, so that a worker that asks endlessly cannot flood the
// supervisor through the agent.
void LoginService::RefuseQuietly(Slot slot, ipc::Outcome outcome) {
  SendFailure(slot, *slots_[slot].active, outcome, AuthStatus::kError);
  Finish(slot);
}

void LoginService::OnCredential(Slot slot, Acquired acquired) {
  SlotState& state = slots_[slot];
  Note(acquired);
  if (acquired.finding.status != AuthStatus::kOk) {
    Fail(slot, ipc::OUTCOME_AUTH_FAILED, acquired.finding, {});
    return;
  }
  const BootTime now = BootNow();
  if (!state.logins.Take(now)) {
    FailForBudget(slot, state.logins.UntilNext(now) + kCountedLater);
    return;
  }
  LogIn(slot, std::move(acquired));
}

void LoginService::LogIn(Slot slot, Acquired acquired) {
  // Each login uses its own connection, because the supervisor counts logins by the connections
  // that it opens for the agent.
  const openbao::CallContext context{.deadline = slots_[slot].active->deadline,
                                     .token = nullptr,
                                     .connection = openbao::ConnectionUse::kFresh};
  auto done = [this, slot](const openbao::CallReport& report, openbao::AuthValue value) {
    OnLogin(slot, report, std::move(value));
  };
  api_.Login(context, options_.auth_mount, std::move(acquired.request), std::move(done));
}

void LoginService::OnLogin(Slot slot, const openbao::CallReport& report, openbao::AuthValue value) {
  if (report.error_class == openbao::ErrorClass::kOk) {
    Succeed(slot, report, std::move(value));
  } else if (report.error_class == openbao::ErrorClass::kLoginBudgetUsedUp) {
    FailForBudget(slot, BootTime::zero());
  } else {
    FailLogin(slot, {openbao::ToOutcome(report.error_class), ToFinding(report)}, report);
  }
}

void LoginService::Succeed(Slot slot, const openbao::CallReport& report, openbao::AuthValue value) {
  const std::size_t size = value.token.size();
  if (size == 0 || size > ipc::kMaxToken) {
    FailLogin(slot,
              {ipc::OUTCOME_UNDECODABLE,
               {AuthStatus::kError, "OpenBao returned no token, or one that is too long"}},
              report);
    return;
  }
  ipc::TokenMessage message;
  message.request_id = slots_[slot].active->id;
  message.lease_seconds = LeaseSeconds(value.lease_seconds);
  message.renewable = value.renewable;
  message.token = std::move(value.token);
  outlet_.SendToken(slot, message);
  last_failure_ = {};
  Report(ipc::OUTCOME_OK, AuthStatus::kOk, report);
  Finding finding{AuthStatus::kOk, ""};
  LogFields more;
  if (value.num_uses > 0) {
    finding.reason = kLimitedUses;
    more.emplace_back("token_num_uses", value.num_uses);
  }
  LogLogin(slot, finding, std::move(more));
  Finish(slot);
}

void LoginService::FailLogin(Slot slot, LoginFailure failure, const openbao::CallReport& report) {
  last_failure_ = std::move(failure);
  Fail(slot, last_failure_.outcome, last_failure_.finding, report);
}

void LoginService::Fail(Slot slot,
                        ipc::Outcome outcome,
                        const Finding& finding,
                        const openbao::CallReport& report) {
  SendFailure(slot, *slots_[slot].active, outcome, finding.status);
  Report(outcome, finding.status, report);
  LogFields more;
  if (report.tls_alert() != openbao::kNoTlsAlert) {
    more.emplace_back("tls_alert", std::string(TlsAlertText(report.tls_alert())));
  }
  LogLogin(slot, finding, std::move(more));
  Finish(slot);
}

// The budget is the provider's own limit, independent of OpenBao, so the reported reason is that of
// the last failed login. `wait` tells the worker when to ask again; zero: as after other failures.
void LoginService::FailForBudget(Slot slot, BootTime wait) {
  const Finding& finding = last_failure_.finding;
  SendFailure(slot, *slots_[slot].active, last_failure_.outcome, finding.status, wait);
  Report(last_failure_.outcome, finding.status, {});
  LogLogin(slot, finding, {{"login_budget", std::string("used_up")}});
  Finish(slot);
}

void LoginService::SendFailure(Slot slot,
                               const Ticket& ticket,
                               ipc::Outcome outcome,
                               AuthStatus status,
                               BootTime budget_wait) {
  ipc::LoginFailed failure;
  failure.set_request_id(std::string(ticket.id.begin(), ticket.id.end()));
  failure.set_outcome(outcome);
  failure.set_status(std::string(ToString(status)));
  failure.set_budget_wait_ns(budget_wait.count());
  outlet_.SendFailure(slot, failure);
}

void LoginService::Report(ipc::Outcome outcome,
                          AuthStatus status,
                          const openbao::CallReport& report) {
  ipc::AgentStatus message = StatusMessage(outcome, status);
  message.set_was_login(true);
  openbao::AppendCalls(report.calls, *message.mutable_calls());
  outlet_.SendStatus(message);
}

ipc::AgentStatus LoginService::StatusMessage(ipc::Outcome outcome, AuthStatus status) const {
  ipc::AgentStatus message;
  message.set_status(std::string(ToString(status)));
  message.set_credential_status(std::string(ToString(credential_status_)));
  message.set_credential_ends_unix(credential_ends_unix_);
  message.set_credential_due_unix(credential_due_unix_);
  message.set_last_outcome(outcome);
  return message;
}

void LoginService::LogLogin(Slot slot, const Finding& finding, LogFields more) {
  more.insert(more.begin(), {"slot", static_cast<std::int64_t>(slot)});
  const bool ok = finding.status == AuthStatus::kOk && finding.reason.empty();
  Log("auth.login", ok, finding, std::move(more));
}

void LoginService::Log(const char* event, bool ok, const Finding& finding, LogFields more) {
  LogRecord record;
  record.level = ok ? LogLevel::kInfo : LogLevel::kWarn;
  record.event = event;
  record.fields = {{"operation", std::string(event)},
                   {"status", std::string(ToString(finding.status))}};
  if (!finding.reason.empty()) {
    record.fields.emplace_back("reason", finding.reason);
  }
  std::ranges::move(more, std::back_inserter(record.fields));
  log_.Write(record);
}

void LoginService::Finish(Slot slot) {
  slots_[slot].active.reset();
  // Posted, because a credential that answers immediately would otherwise cause a recursion.
  loop_.Post([this, slot] { Begin(slot); });
}

void LoginService::Note(const Acquired& acquired) {
  credential_status_ = acquired.finding.status;
  credential_ends_unix_ = acquired.ends_unix;
  credential_due_unix_ = acquired.due_unix;
}

bool LoginService::ReplacementIsDue() const {
  return credential_due_unix_ != 0 && UnixNow() >= credential_due_unix_;
}

void LoginService::CheckCredential() {
  if (std::exchange(checking_, true)) {
    return;
  }
  last_check_ = BootNow();
  credential_.Acquire(last_check_ + options_.timeout, [this](const Acquired& acquired) {
    checking_ = false;
    Note(acquired);
    const AuthStatus status = acquired.finding.status;
    outlet_.SendStatus(StatusMessage(
        status == AuthStatus::kOk ? ipc::OUTCOME_OK : ipc::OUTCOME_AUTH_FAILED, status));
    LogCredential(acquired.finding);
  });
}

void LoginService::LogCredential(Finding finding) {
  const bool ok = finding.status == AuthStatus::kOk && !ReplacementIsDue();
  if (finding.reason.empty() && ReplacementIsDue()) {
    finding.reason = "the replacement of the credential is overdue";
  }
  LogFields more;
  if (credential_ends_unix_ != 0) {
    more.emplace_back("ends_in_s", credential_ends_unix_ - UnixNow());
  }
  Log("auth.credential", ok, finding, std::move(more));
}

void LoginService::Watch() {
  const bool complain = credential_status_ != AuthStatus::kOk || ReplacementIsDue();
  if (credential_.Replaced() || (complain && BootNow() - last_check_ >= kComplaint)) {
    CheckCredential();
  }
}

}  // namespace baokms::authagent
