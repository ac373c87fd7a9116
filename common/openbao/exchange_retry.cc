#include <optional>
#include <string>
#include <utility>

#include <curl/curl.h>

#include "common/base/backoff.h"
#include "common/base/clock.h"
#include "common/openbao/exchange.h"
#include "common/openbao/http_limits.h"

namespace baokms::openbao {
namespace {

// Returns whether another endpoint may succeed where this error occurred.
bool BlamesEndpoint(ErrorClass error_class) {
  switch (error_class) {
    case ErrorClass::kSealed:
    case ErrorClass::kUnavailable:
    case ErrorClass::kTlsFailed:
    case ErrorClass::kDnsFailed:
    case ErrorClass::kConnectionFailed:
    case ErrorClass::kTimeout:
      return true;
    default:
      return false;
  }
}

}  // namespace

void Exchange::AddConnectTime(PendingCall& call, BootTime now) {
  call.report.connect_us += Microseconds(now - call.connect_began);
  call.connecting = false;
}

void Exchange::Finished(void* easy, int curl_code) {
  const Transfer& transfer = Transfer::Of(easy);
  PendingCall& call = *transfer.call();
  --running_[call.search.endpoint()];
  const bool was_retired = std::exchange(call.was_retired, false);
  if (curl_code != CURLE_OK && (was_retired || transfer.lacked_socket())) {
    // The idle connection was given up, or was closed in the meantime, which is not an error. In
    // the second case, use a new one.
    ReleaseTransfer(call);
    call.need = was_retired ? call.need : PendingCall::Need::kOwn;
    Enqueue(call);
    Pump();
    return;
  }
  const bool complete = curl_code == CURLE_OK;
  AttemptOutcome outcome =
      complete ? AttemptOutcome()
               : ClassifyTransport(curl_code, transfer.progress(), transfer.tls_alert());
  if (complete || transfer.progress() == Progress::kAnswering) {
    outcome = call.what.handler.classify(transfer.answer(complete), outcome);
  }
  ReleaseTransfer(call);
  EndAttempt(call, std::move(outcome));
}

void Exchange::EndAttempt(PendingCall& call, AttemptOutcome outcome) {
  call.socket.fd.reset();
  const std::optional<Peer> peer = std::exchange(call.peer, std::nullopt);
  if (std::exchange(call.peer_was_refused, false)) {  // no exchange took place
    AddConnectTime(call, BootNow());
    outcome = {.error_class = call.last_error, .remedy = Remedy::kOtherAddress};
  } else {
    AddRecord(call, outcome);
  }
  ++call.attempt_count;
  call.last_error = outcome.error_class;
  if (outcome.remedy == Remedy::kOtherAddress && peer) {
    call.refused_peers.push_back(*peer);
  }
  if (outcome.remedy == Remedy::kOtherAddress && call.on_idle_connection) {
    call.search.Note(call.address, 1);  // only the connector knows whether there are more
  }
  FollowUp(call, outcome);
}

void Exchange::FollowUp(PendingCall& call, const AttemptOutcome& outcome) {
  if (outcome.remedy == Remedy::kOtherAddress && (GoToNextAddress(call) || ReturnOnce(call))) {
    Enqueue(call);
    Pump();
    return;
  }
  if (outcome.remedy == Remedy::kRepeat && RepeatLater(call, outcome)) {
    Pump();
    return;
  }
  Complete(call, outcome.remedy == Remedy::kOtherAddress ? call.last_error : outcome.error_class);
}

// Moves the call to an address that it has not tried. Returns false when there is none.
bool Exchange::GoToNextAddress(PendingCall& call) {
  const std::uint32_t endpoint = call.search.endpoint();
  if (call.attempt_count >= kMaxAttempts || !call.search.Next()) {
    return false;
  }
  if (call.search.endpoint() != endpoint) {
    LeaveEndpoint(endpoint);
  }
  // An idle connection of the next endpoint may be used, unless it could lead to a server that
  // refused; only the peer of a new connection is checked.
  const bool any = call.search.endpoint() != endpoint && call.refused_peers.empty() &&
                   call.what.use == ConnectionUse::kAny;
  call.need = any ? PendingCall::Need::kAny : PendingCall::Need::kOwn;
  return true;
}

// The repetition was to go to another address, and none can be reached: it goes to the first again.
bool Exchange::ReturnOnce(PendingCall& call) {
  if (!std::exchange(call.may_return, false)) {
    return false;
  }
  call.search.Restart();
  call.need = PendingCall::Need::kOwn;
  return true;
}

// Later calls start at the next endpoint, unless another call has already changed where they start.
void Exchange::LeaveEndpoint(std::uint32_t endpoint) {
  if (preferred_endpoint_ == endpoint) {
    preferred_endpoint_ = (endpoint + 1) % static_cast<std::uint32_t>(routes_.size());
  }
}

bool Exchange::RepeatLater(PendingCall& call, const AttemptOutcome& outcome) {
  const BootTime when =
      BootNow() + outcome.wait + Backoff(backoff::kHttpRepeat).Next(UniformRandom());
  if (call.what.once || call.repeated || when >= call.what.deadline) {
    return false;
  }
  call.repeated = true;
  if (outcome.error_class == ErrorClass::kRateLimited) {
    call.search.AllowAgain();  // the server said when it will answer
  } else if (outcome.error_class == ErrorClass::kConnectionFailed && call.on_idle_connection) {
    call.need = PendingCall::Need::kOwn;  // other idle connections may be broken as well
  } else {
    if (call.on_idle_connection) {
      call.search.Note(call.address, address_count_[call.search.endpoint()] - 1);
    }
    call.may_return = true;
    (void)(GoToNextAddress(call) || ReturnOnce(call));
  }
  call.phase = PendingCall::Phase::kPausing;
  WakeAt(call, when);
  return true;
}

void Exchange::AddRecord(PendingCall& call, const AttemptOutcome& outcome) {
  const BootTime now = BootNow();
  if (call.connecting) {
    AddConnectTime(call, now);
  }
  if (call.request_began != BootTime::zero()) {
    call.report.openbao_us += Microseconds(now - call.request_began);
    call.request_began = BootTime::zero();
  }
  call.report.calls.push_back({.operation = call.what.operation,
                               .error_class = outcome.error_class,
                               .duration_us = Microseconds(now - call.attempt_began),
                               .request_id = outcome.request_id,
                               .tls_alert = outcome.tls_alert});
}

void Exchange::Complete(PendingCall& call, ErrorClass error_class) {
  if (error_class == ErrorClass::kOk) {
    preferred_endpoint_ = call.search.endpoint();
  } else if (call.attempt_count > 0 && BlamesEndpoint(error_class) &&
             !call.search.IsAtLastEndpoint()) {
    // After the last one, the next call would start where this one did.
    LeaveEndpoint(call.search.endpoint());
  }
  const auto node = calls_.extract(call.id);
  const CallHandler handler = std::move(call.what.handler);
  CallReport report = std::move(call.report);
  report.error_class = error_class;
  Pump();
  handler.deliver(std::move(report));
}

void Exchange::StopAttempt(PendingCall& call) {
  std::erase(waiting_, &call);
  if (call.transfer != nullptr) {
    multi_->Remove(call.transfer->handle());
    --running_[call.search.endpoint()];
    ReleaseTransfer(call);
  }
  if (call.socket_request != nullptr) {
    socket_requests_.Drop(*std::exchange(call.socket_request, nullptr));
  }
  call.socket.fd.reset();
}

// Gives up the connection of a request without an answer. One that was never usable is reported
// when it is closed.
void Exchange::GiveUpIfSent(const PendingCall& call) {
  if (call.transfer != nullptr && call.request_began != BootTime::zero()) {
    connections_.GiveUp(call.transfer->descriptor());
  }
}

// The connection attempt took too long, so the call moves to the next address. When all were tried
// and time is left, it starts again, because a load balancer may choose a server that responds.
void Exchange::OnConnectTimeout(PendingCall& call) {
  StopAttempt(call);
  AddRecord(call, {.error_class = ErrorClass::kConnectionFailed});
  ++call.attempt_count;
  call.last_error = ErrorClass::kConnectionFailed;
  if (!GoToNextAddress(call)) {
    if (call.what.once || call.attempt_count >= kMaxAttempts) {
      Complete(call, ErrorClass::kConnectionFailed);
      return;
    }
    call.search.Restart();
    call.need = PendingCall::Need::kOwn;
  }
  Enqueue(call);
  Pump();
}

// The server has had its share of the time; another one may still answer (see LimitAnswer()).
void Exchange::OnAnswerTimeout(PendingCall& call) {
  GiveUpIfSent(call);
  StopAttempt(call);
  EndAttempt(call, {.error_class = ErrorClass::kTimeout, .remedy = Remedy::kRepeat});
}

void Exchange::WakeAt(PendingCall& call, BootTime when) {
  call.wake_at = when;
  if (alarm_ == 0 || when < alarm_at_) {
    loop_.Cancel(alarm_);
    alarm_at_ = when;
    alarm_ = loop_.At(when, [this] { OnAlarm(); });
  }
}

void Exchange::OnAlarm() {
  alarm_ = 0;
  const BootTime now = BootNow();
  std::vector<CallId> due;
  for (const auto& [id, call] : calls_) {
    if (call->wake_at <= now) {
      due.push_back(id);
    }
  }
  for (const CallId id : due) {
    const auto found = calls_.find(id);  // the callback of an earlier call may have cancelled it
    if (found != calls_.end() && found->second->wake_at <= now) {
      HandleDue(*found->second, now);
    }
  }
  for (const auto& [id, call] : calls_) {
    WakeAt(*call, call->wake_at);
  }
}

void Exchange::HandleDue(PendingCall& call, BootTime now) {
  if (call.phase == PendingCall::Phase::kRefused) {
    Complete(call, call.what.refusal);
  } else if (now >= call.what.deadline) {
    const bool under_way = call.transfer != nullptr || call.socket_request != nullptr;
    GiveUpIfSent(call);
    StopAttempt(call);
    if (under_way) {
      AddRecord(call, {.error_class = ErrorClass::kTimeout});
      ++call.attempt_count;
    }
    Complete(call, ErrorClass::kTimeout);
  } else if (call.phase == PendingCall::Phase::kPausing) {
    Enqueue(call);
    Pump();
  } else if (call.connecting) {
    OnConnectTimeout(call);
  } else if (call.phase == PendingCall::Phase::kRunning) {
    OnAnswerTimeout(call);
  }
}

}  // namespace baokms::openbao
