#include "worker/token_state_machine.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "worker/limits.h"

namespace baokms::worker {
namespace {

using openbao::ErrorClass;
using Kind = TokenAction::Kind;

void Append(TokenActions* actions, TokenActions more) {
  actions->insert(actions->end(), more.begin(), more.end());
}

bool IsRefusal(ErrorClass error_class) {
  return error_class == ErrorClass::kUnauthenticated ||
         error_class == ErrorClass::kPermissionDenied;
}

// Returns whether OpenBao answered at all.
bool IsAnswer(ErrorClass error_class) {
  switch (error_class) {
    case ErrorClass::kTlsFailed:
    case ErrorClass::kDnsFailed:
    case ErrorClass::kConnectionFailed:
    case ErrorClass::kCanceled:
    case ErrorClass::kTimeout:
      return false;
    default:
      return true;
  }
}

// Returns the outcome for callers without a token: an outage keeps its own outcome, and every other
// cause is an authentication failure.
ipc::Outcome ForCallers(ipc::Outcome outcome) {
  switch (outcome) {
    case ipc::OUTCOME_PRECONDITION_FAILED:
    case ipc::OUTCOME_RATE_LIMITED:
    case ipc::OUTCOME_SEALED:
    case ipc::OUTCOME_UNAVAILABLE:
    case ipc::OUTCOME_TLS_FAILED:
    case ipc::OUTCOME_DNS_FAILED:
    case ipc::OUTCOME_CONNECTION_FAILED:
      return outcome;
    case ipc::OUTCOME_TIMEOUT:
      return ipc::OUTCOME_LOGIN_TIMEOUT;  // the call's own deadline has not passed
    default:
      return ipc::OUTCOME_AUTH_FAILED;
  }
}

}  // namespace

TokenStateMachine::TokenStateMachine(TokenTiming timing, std::function<double()> random)
    : timing_(timing),
      random_(std::move(random)),
      backoff_(backoff::kLogin.LimitedTo(timing.longest_wait)),
      cooldown_(backoff::kRejectedToken.LimitedTo(timing.longest_wait)) {
}

bool TokenStateMachine::Usable(Instant now) {
  return token_ && token_->lease.Remaining(now) != BootTime::zero();
}

bool TokenStateMachine::IsRenewing() const {
  return activity_ != Activity::kNone && activity_ != Activity::kLogin;
}

bool TokenStateMachine::RefreshIsDue(Instant now) {
  if (!token_) {
    return true;
  }
  const std::optional<BootTime> left = token_->lease.Remaining(now);
  return left ? *left <= token_->lead : now.boot >= token_->check_at;
}

TokenActions TokenStateMachine::Tick(Instant now) {
  TokenActions actions;
  if (activity_ == Activity::kLogin && now.boot >= activity_deadline_) {
    actions.push_back({Kind::kLoginTimedOut, attempt_, {}});
    Fail(ipc::OUTCOME_TIMEOUT, now.boot);
  }
  if (token_ && !Usable(now)) {
    Append(&actions, DropToken());
  }
  if (activity_ == Activity::kNone && now.boot >= retry_at_ && RefreshIsDue(now)) {
    Append(&actions, StartRefresh(now));
  }
  return actions;
}

TokenActions TokenStateMachine::StartRefresh(Instant now) {
  activity_deadline_ = now.boot + timing_.login_timeout;
  if (recovery_pending_) {
    BeginCooldown(now.boot);
  }
  if (token_ && !token_->lease.expires()) {
    return StartRenewal(Activity::kCheck, activity_deadline_, now);
  }
  if (token_ && token_->renewable && !token_->exhausted && timing_.mode == RenewalMode::kBySelf) {
    // Half of the time, so that a hanging renewal leaves time for the login.
    return StartRenewal(Activity::kRenewal, now.boot + timing_.login_timeout / 2, now);
  }
  return StartLogin(activity_deadline_, now);
}

TokenActions TokenStateMachine::StartRenewal(Activity activity, BootTime limit, Instant now) {
  activity_ = activity;
  activity_began_ = now;
  activity_deadline_ = now.boot + timing_.login_timeout;
  return {{activity == Activity::kRenewal ? Kind::kRenew : Kind::kProbe, ++attempt_, limit}};
}

TokenActions TokenStateMachine::StartLogin(BootTime deadline, Instant now) {
  activity_ = Activity::kLogin;
  activity_began_ = now;
  activity_deadline_ = deadline;
  return {{Kind::kLogin, ++attempt_, deadline}};
}

TokenActions TokenStateMachine::DropToken() {
  TokenActions actions;
  if (IsRenewing()) {
    activity_ = Activity::kNone;
    actions.push_back({Kind::kCancelRenewal, attempt_, {}});
  }
  token_.reset();
  actions.push_back({Kind::kDropToken, 0, {}});
  return actions;
}

void TokenStateMachine::Fail(ipc::Outcome outcome, BootTime now) {
  retry_at_ = now + backoff_.Next(random_());
  NoteOutcome(outcome);
  activity_ = Activity::kNone;
}

void TokenStateMachine::NoteOutcome(ipc::Outcome outcome) {
  if (outcome != ipc::OUTCOME_LOGIN_BUDGET) {
    last_outcome_ = ForCallers(outcome);
  }
}

void TokenStateMachine::SetTimes(Instant now) {
  // After a renewal that extended the token hardly at all, the lead time is based on the original
  // lifetime: a third of the short remainder would leave too little time.
  const BootTime length = token_->exhausted ? token_->first_length : token_->lease.length();
  const BootTime lead = std::min(timing_.refresh_before, length / 3);
  token_->lead = Scaled(lead, 1.0 + kRefreshJitter * random_());
  token_->check_at = now.boot + Scaled(timing_.check_interval, 1.0 - kRefreshJitter * random_());
  activity_ = Activity::kNone;
  backoff_.Reset();
  retry_at_ = {};
}

void TokenStateMachine::Hold(TokenGrant grant, Instant now) {
  // OpenBao starts counting after the request was sent, so a token is never considered alive after
  // its end.
  const TokenLease lease(activity_began_, grant.lease_seconds);
  token_ = Held{lease, {}, {}, lease.length(), grant.renewable};
  ++generation_;
  SetTimes(now);
}

void TokenStateMachine::Extend(const TokenGrant& grant, Instant now) {
  token_->lease = TokenLease(activity_began_, grant.lease_seconds);
  token_->renewable = grant.renewable;
  token_->renewed = true;
  token_->exhausted = token_->lease.expires() && token_->lease.length() < token_->first_length / 2;
  SetTimes(now);
}

TokenActions TokenStateMachine::LoginSucceeded(std::uint64_t attempt,
                                               TokenGrant grant,
                                               Instant now) {
  if (activity_ != Activity::kLogin || attempt != attempt_) {
    return {};
  }
  Hold(grant, now);
  return {{Kind::kAdoptToken, attempt, {}}};
}

TokenActions TokenStateMachine::LoginFailed(std::uint64_t attempt,
                                            ipc::Outcome outcome,
                                            Instant now,
                                            BootTime budget_wait) {
  if (activity_ != Activity::kLogin || attempt != attempt_) {
    return {};
  }
  if (budget_wait == BootTime::zero()) {
    Fail(outcome, now.boot);
    return {};
  }
  retry_at_ = now.boot + std::min(budget_wait, kMaxBudgetWait);
  NoteOutcome(outcome);
  activity_ = Activity::kNone;
  return {};
}

TokenActions TokenStateMachine::RenewalEnded(std::uint64_t attempt,
                                             const RenewalEnd& end,
                                             Instant now) {
  if (!IsRenewing() || attempt != attempt_) {
    return {};
  }
  if (end.error_class == ErrorClass::kOk) {
    if (end.token == RenewalEnd::Token::kReplaced) {
      Hold(end.grant, now);
      return {{Kind::kAdoptToken, attempt, {}}};
    }
    Extend(end.grant, now);
    probe_result_ = ProbeResult{generation_, Finding::kAlive, now.boot};
    return {};
  }
  const Activity activity = std::exchange(activity_, Activity::kNone);
  token_->check_at = now.boot + timing_.check_interval;
  if (!IsRefusal(end.error_class) && IsAnswer(end.error_class)) {
    probe_result_ = ProbeResult{generation_, Finding::kAlive, now.boot};
  }
  if (activity == Activity::kRenewal) {
    return AfterFailedRenewal(end.error_class, now);
  }
  return IsRefusal(end.error_class) ? AfterRefusedProbe(activity, end.error_class, now)
                                    : TokenActions();
}

TokenActions TokenStateMachine::AfterFailedRenewal(ErrorClass failure, Instant now) {
  TokenActions actions;
  if (IsRefusal(failure) && Classify(failure) == Certainty::kDead) {
    actions = DropToken();
  }
  if (now.boot >= activity_deadline_) {
    Fail(openbao::ToOutcome(failure), now.boot);
    return actions;
  }
  Append(&actions, StartLogin(activity_deadline_, now));
  return actions;
}

TokenActions TokenStateMachine::AfterRefusedProbe(Activity activity,
                                                  ErrorClass refusal,
                                                  Instant now) {
  const Certainty certainty = Classify(refusal);
  if (certainty == Certainty::kSuspected) {
    probe_result_ = ProbeResult{generation_, Finding::kUnproven, now.boot};
    if (activity == Activity::kCheck) {
      return {};  // no call has been refused yet
    }
  }
  return Recover(certainty, now);
}

TokenStateMachine::Certainty TokenStateMachine::Classify(ErrorClass refusal) const {
  const bool renew_self_is_granted = token_ && token_->renewed;
  return refusal == ErrorClass::kUnauthenticated || renew_self_is_granted ? Certainty::kDead
                                                                          : Certainty::kSuspected;
}

std::optional<TokenStateMachine::Finding> TokenStateMachine::FreshFinding(BootTime now) const {
  if (!probe_result_ || probe_result_->generation != generation_ ||
      now - probe_result_->at >= kProbeResultLifetime) {
    return std::nullopt;
  }
  return probe_result_->finding;
}

TokenActions TokenStateMachine::Rejected(std::uint64_t generation, Rejection how, Instant now) {
  if (!token_ || generation != generation_) {
    return {};
  }
  if (how == Rejection::kUnauthenticated) {
    return Recover(Certainty::kDead, now);
  }
  if (activity_ != Activity::kNone) {
    return {};  // the operation in progress decides
  }
  const std::optional<Finding> finding = FreshFinding(now.boot);
  if (!finding) {
    return StartRenewal(Activity::kProbe, now.boot + timing_.login_timeout, now);
  }
  return *finding == Finding::kAlive ? TokenActions() : Recover(Certainty::kSuspected, now);
}

TokenActions TokenStateMachine::Recover(Certainty certainty, Instant instant) {
  const BootTime now = instant.boot;
  if (!last_rejection_ || now - *last_rejection_ >= kQuietPeriod) {
    cooldown_.Reset();
    cooldown_until_ = {};
  }
  last_rejection_ = now;
  TokenActions actions;
  if (certainty == Certainty::kDead) {
    actions = DropToken();
  }
  if (activity_ != Activity::kNone || now < retry_at_) {
    return actions;
  }
  if (now < cooldown_until_) {
    if (!token_) {
      retry_at_ = cooldown_until_;
      recovery_pending_ = true;
      last_outcome_ = ipc::OUTCOME_AUTH_FAILED;
    }
    return actions;
  }
  BeginCooldown(now);
  Append(&actions, StartLogin(now + timing_.login_timeout, instant));
  return actions;
}

// Delays the next login: called for every login that replaces a rejected token.
void TokenStateMachine::BeginCooldown(BootTime now) {
  cooldown_until_ = now + cooldown_.Next();
  recovery_pending_ = false;
}

TokenStateMachine::Answer TokenStateMachine::Ask(Instant now) {
  if (Usable(now)) {
    return Answer::kUsable;
  }
  return activity_ != Activity::kNone ? Answer::kWait : Answer::kUnavailable;
}

TokenStateMachine::Answer TokenStateMachine::AskAfterRejection(std::uint64_t generation,
                                                               Instant now) {
  if (generation != generation_ && Usable(now)) {
    return Answer::kUsable;
  }
  return activity_ != Activity::kNone ? Answer::kWait : Answer::kKept;
}

std::optional<BootTime> TokenStateMachine::Remaining(Instant now) {
  return token_ ? token_->lease.Remaining(now) : std::nullopt;
}

std::optional<BootTime> TokenStateMachine::NextWake(Instant now) {
  if (activity_ == Activity::kLogin) {
    return activity_deadline_;
  }
  if (!token_) {
    return retry_at_;
  }
  const std::optional<BootTime> left = token_->lease.Remaining(now);
  if (activity_ != Activity::kNone) {
    return left ? std::optional(now.boot + *left) : std::nullopt;
  }
  if (!left) {
    return std::max(token_->check_at, retry_at_);
  }
  const BootTime due = std::max(now.boot + *left - token_->lead, retry_at_);
  return std::min(due, now.boot + *left);
}

}  // namespace baokms::worker
