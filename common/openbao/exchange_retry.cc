#include <utility>

#include <curl/curl.h>

#include "common/base/elapsed.h"
#include "common/openbao/answers.h"
#include "common/openbao/exchange.h"
#include "common/openbao/http_limits.h"

namespace baokms::openbao {

void Exchange::AddConnectTime(Call& call, BootTime now) {
  call.report.connect_us += Microseconds(now - call.connect_began);
  call.connecting = false;
}

void Exchange::Finished(void* easy, int curl_code) {
  const Transfer& transfer = Transfer::Of(easy);
  Call& call = *transfer.call();
  --running_[call.endpoint];
  if (curl_code != CURLE_OK && transfer.lacked_socket()) {
    // The idle connection was gone, which is nobody's business: on with a new one.
    ReleaseTransfer(call);
    call.need = Call::Need::kOwn;
    Enqueue(call);
    Pump();
    return;
  }
  std::string request_id;
  const Outcome outcome = curl_code == CURLE_OK ? ClassifyAnswer(call, request_id)
                                                : ClassifyTransport(curl_code, transfer.progress(),
                                                                    transfer.tls_alert());
  ReleaseTransfer(call);
  EndAttempt(call, outcome, std::move(request_id));
}

Outcome Exchange::ClassifyAnswer(Call& call, std::string& request_id) {
  const long status = call.transfer->status();
  const std::string_view body = call.transfer->body();
  if (status >= 200 && status < 300) {
    Result<std::string> parsed = call.what.handler->Parse(body);
    if (!parsed.has_value()) {
      return {.error_class = ErrorClass::kUndecodable};
    }
    request_id = std::move(parsed).value();
    return {.error_class = ErrorClass::kOk};
  }
  Answer<ErrorTexts> errors = ParseErrors(body);
  request_id = std::move(errors.request_id);
  return ClassifyStatus(status, errors.value, call.transfer->retry_after());
}

void Exchange::EndAttempt(Call& call, Outcome outcome, std::string request_id) {
  call.socket.fd.reset();
  if (call.peer_was_refused) {  // no exchange took place
    AddConnectTime(call, BootNow());
    outcome = {.error_class = call.last_error, .remedy = Remedy::kOtherAddress};
  } else {
    AddRecord(call, outcome.error_class, std::move(request_id));
    call.report.calls.back().tls_alert = outcome.tls_alert;
  }
  ++call.attempts;
  call.last_error = outcome.error_class;
  if (outcome.remedy == Remedy::kOtherAddress && call.peer.has_value()) {
    call.refused_peers.push_back(*call.peer);
    connector_.Report(call.socket_id, Connector::Verdict::kUnusable);
  }
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
    preferred_endpoint_ = call.endpoint;
  }
  Complete(call, outcome.error_class);
}

// Moves the call to an address that it has not tried. False when there is none.
bool Exchange::GoToNextAddress(Call& call) {
  if (call.attempts >= kMaxAttempts) {
    return false;
  }
  const std::uint32_t addresses = dials_.address_count(call.endpoint);
  if (call.on_idle_connection && addresses > 1) {
    call.attempt = 0;  // whichever address the idle connection led to, it may be another one
    call.need = Call::Need::kOwn;
    return true;
  }
  if (call.attempt + 1 < addresses) {
    ++call.attempt;
    call.need = Call::Need::kOwn;
    return true;
  }
  const std::uint32_t next = (call.endpoint + 1) % static_cast<std::uint32_t>(routes_.size());
  if (next == call.first_endpoint) {
    return false;
  }
  call.endpoint = next;
  call.attempt = 0;
  // An idle connection may lead to a refused address under another name; a new one is looked at.
  const bool any = call.what.use == ConnectionUse::kAny && call.refused_peers.empty();
  call.need = any ? Call::Need::kAny : Call::Need::kOwn;
  return true;
}

bool Exchange::RepeatLater(Call& call, const Outcome& outcome) {
  std::uniform_int_distribution<std::int64_t> spread(kMinRetryDelay.count(),
                                                     kMaxRetryDelay.count());
  const BootTime delay = outcome.wait + std::chrono::milliseconds(spread(jitter_));
  const BootTime when = BootNow() + delay;
  if (call.repeated || when >= call.what.deadline) {
    return false;
  }
  call.repeated = true;
  if (outcome.error_class == ErrorClass::kConnectionFailed) {
    call.need = Call::Need::kOwn;  // other idle connections may have been cut as well
    call.attempt = 0;
  }
  call.phase = Call::Phase::kPausing;
  WakeAt(call, when);
  return true;
}

void Exchange::AddRecord(Call& call, ErrorClass error_class, std::string request_id) {
  const BootTime now = BootNow();
  if (call.connecting) {
    AddConnectTime(call, now);
  }
  if (call.request_began != BootTime::zero()) {
    call.report.openbao_us += Microseconds(now - call.request_began);
    call.request_began = BootTime::zero();
  }
  call.report.calls.push_back({.operation = call.what.operation,
                               .error_class = error_class,
                               .duration_us = Microseconds(now - call.attempt_began),
                               .request_id = std::move(request_id)});
}

void Exchange::Complete(Call& call, ErrorClass error_class) {
  const auto node = calls_.extract(call.id);
  const std::unique_ptr<CallHandler> handler = std::move(call.what.handler);
  CallReport report = std::move(call.report);
  report.error_class = error_class;
  Pump();
  handler->Deliver(std::move(report));
}

void Exchange::StopAttempt(Call& call) {
  std::erase(waiting_, &call);
  if (call.transfer != nullptr) {
    multi_->Remove(call.transfer->handle());
    --running_[call.endpoint];
    ReleaseTransfer(call);
  }
  if (call.dial != nullptr) {
    dials_.Drop(*std::exchange(call.dial, nullptr));
  }
  call.socket.fd.reset();
}

// The connection took a third of the call's time: on to the next address, if need be the same one.
void Exchange::OnConnectLimit(Call& call) {
  StopAttempt(call);
  AddRecord(call, ErrorClass::kConnectionFailed, {});
  ++call.attempts;
  call.last_error = ErrorClass::kConnectionFailed;
  if (!GoToNextAddress(call)) {
    if (call.attempts >= kMaxAttempts) {
      Complete(call, ErrorClass::kConnectionFailed);
      return;
    }
    call.endpoint = call.first_endpoint;
    call.attempt = 0;
    call.need = Call::Need::kOwn;
  }
  Enqueue(call);
  Pump();
}

void Exchange::WakeAt(Call& call, BootTime when) {
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
    const auto found = calls_.find(id);  // an earlier one's callback may have cancelled it
    if (found != calls_.end() && found->second->wake_at <= now) {
      HandleDue(*found->second, now);
    }
  }
  for (const auto& [id, call] : calls_) {
    WakeAt(*call, call->wake_at);
  }
}

void Exchange::HandleDue(Call& call, BootTime now) {
  if (call.phase == Call::Phase::kRefused) {
    Complete(call, call.what.refusal);
  } else if (now >= call.what.deadline) {
    const bool under_way = call.transfer != nullptr || call.dial != nullptr;
    StopAttempt(call);
    if (under_way) {
      AddRecord(call, ErrorClass::kTimeout, {});
    }
    Complete(call, ErrorClass::kTimeout);
  } else if (call.phase == Call::Phase::kPausing) {
    Enqueue(call);
    Pump();
  } else if (call.connecting) {
    OnConnectLimit(call);
  }
}

}  // namespace baokms::openbao
