#include "worker/transit_call.h"

#include <algorithm>
#include <iterator>

#include "common/openbao/error_class.h"
#include "worker/token_state_machine.h"

namespace baokms::worker {
namespace {

bool RefusesToken(openbao::ErrorClass error_class) {
  return error_class == openbao::ErrorClass::kUnauthenticated ||
         error_class == openbao::ErrorClass::kPermissionDenied;
}

}  // namespace

TransitCall::~TransitCall() {
  sources_.tokens.CancelWait(wait_);
  sources_.transit.Cancel(call_);
}

void TransitCall::Begin() {
  const TokenSource::Current current = sources_.tokens.Take();
  if (current.token == nullptr) {
    wait_ = sources_.tokens.Wait(deadline_, AwaitToken());
    return;
  }
  generation_ = current.generation;
  openbao::CallContext context;
  context.deadline = deadline_;
  context.token = current.token;
  context.connection = connection_;
  call_ = exchange_(context, [this](openbao::CallReport report) { OnReport(std::move(report)); });
}

TokenSource::OnReady TransitCall::AwaitToken() {
  waiting_since_ = BootNow();
  return [this](TokenSource::Ready ready) {
    OnToken(ready);
  };
}

void TransitCall::OnToken(TokenSource::Ready ready) {
  wait_ = 0;
  end_.stages.set_token_wait_us(end_.stages.token_wait_us() +
                                Microseconds(BootNow() - waiting_since_));
  switch (ready.kind) {
    case TokenSource::Ready::Kind::kToken:
      Begin();
      return;
    case TokenSource::Ready::Kind::kTimedOut:
      Finish(ipc::OUTCOME_TIMEOUT);
      return;
    case TokenSource::Ready::Kind::kKept:
    case TokenSource::Ready::Kind::kUnavailable:
      Finish(refusal_.value_or(ready.outcome));
      return;
  }
}

void TransitCall::OnReport(openbao::CallReport report) {
  call_ = 0;
  std::ranges::move(report.calls, std::back_inserter(end_.calls));
  end_.stages.set_connect_us(end_.stages.connect_us() + report.connect_us);
  end_.stages.set_openbao_us(end_.stages.openbao_us() + report.openbao_us);
  const ipc::Outcome outcome = openbao::ToOutcome(report.error_class);
  if (!RefusesToken(report.error_class)) {
    Finish(outcome);
    return;
  }
  const Rejection how = report.error_class == openbao::ErrorClass::kUnauthenticated
                            ? Rejection::kUnauthenticated
                            : Rejection::kDenied;
  if (refusal_) {
    sources_.tokens.NoteRejection(generation_, how);
    Finish(outcome);
    return;
  }
  refusal_ = outcome;
  wait_ = sources_.tokens.WaitAfterRejection(generation_, how, deadline_, AwaitToken());
}

void TransitCall::Finish(ipc::Outcome outcome) {
  end_.outcome = outcome;
  const Done done = std::move(done_);
  done(CallEnd(std::move(end_)));  // may destroy this object
}

}  // namespace baokms::worker
