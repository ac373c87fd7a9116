#include <optional>
#include <string>
#include <utility>

#include <curl/curl.h>

#include "common/base/backoff.h"
#include "common/base/clock.h"
#include "common/openbao/exchange.h"
#include "common/openbao/http_limits.h"

namespace baokms::openbao {

void Exchange::AddConnectTime(PendingCall& call, BootTime now) {
  call.report.connect_us += Microseconds(now - call.connect_began);
  call.connecting = false;
}

void Exchange::Finished(void* easy, int curl_code) {
  const Transfer& transfer = Transfer::Of(easy);
  PendingCall& call = *transfer.call();
  --running_[call.search.endpoint()];
  if (curl_code != CURLE_OK && transfer.lacked_socket()) {
    // The idle connection was closed in the meantime, which is not an error: use a new one.
    ReleaseTransfer(call);
    call.need = PendingCall::Need::kOwn;
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
    connector_.Report(call.socket_id, Connector::SocketState::kUnusable);
  }
  if (outcome.remedy == Remedy::kOtherAddress && call.on_idle_connection) {
    call.search.Note(call.address, 1);  // only the connector knows whether there are more
  }
  FollowUp(call, outcome);
}

void Exchange::FollowUp(PendingCall& call, const AttemptOutcome& outcome) {
  if (outcome.remedy == Remedy::kOtherAddress && GoToNextAddress(call)) {
    Enqueue(call);
    Pump();
    return;
  }
  if (outcome.remedy == Remedy::kRepeat && RepeatLater(call, outcome)) {
    Pump();
    return;
  }
  if (outcome.error_class == ErrorClass::kOk) {
    preferred_endpoint_ = call.search.endpoint();
  }
  Complete(call, outcome.remedy == Remedy::kOtherAddress ? call.last_error : outcome.error_class);
}

// Moves the call to an address that it has not tried. Returns false when there is none.
bool Exchange::GoToNextAddress(PendingCall& call) {
  const std::uint32_t endpoint = call.search.endpoint();
  if (call.attempt_count >= kMaxAttempts || !call.search.Next()) {
    return false;
  }
  // An idle connection of the next endpoint may be used, unless it could lead to a server that
  // refused; only the peer of a new connection is checked.
  const bool any = call.search.endpoint() != endpoint && call.refused_peers.empty() &&
                   call.what.use == ConnectionUse::kAny;
  call.need = any ? PendingCall::Need::kAny : PendingCall::Need::kOwn;
  return true;
}

bool Exchange::RepeatLater(PendingCall& call, const AttemptOutcome& outcome) {
  const BootTime when =
      BootNow() + outcome.wait + Backoff(backoff::kHttpRepeat).Next(UniformRandom());
  if (call.what.once || call.repeated || when >= call.what.deadline) {
    return false;
  }
  call.repeated = true;
  if (outcome.error_class != ErrorClass::kConnectionFailed) {
    call.search.AllowAgain();  // the server answered, and may succeed the next time
  } else {
    call.need = PendingCall::Need::kOwn;  // other idle connections may be broken as well
    if (!call.on_idle_connection && !call.search.Next()) {
      call.search.Restart();
    }
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
    StopAttempt(call);
    if (under_way) {
      AddRecord(call, {.error_class = ErrorClass::kTimeout});
    }
    Complete(call, ErrorClass::kTimeout);
  } else if (call.phase == PendingCall::Phase::kPausing) {
    Enqueue(call);
    Pump();
  } else if (call.connecting) {
    OnConnectTimeout(call);
  }
}

}  // namespace baokms::openbao
