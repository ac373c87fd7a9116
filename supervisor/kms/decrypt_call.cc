#include "supervisor/kms/decrypt_call.h"

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <memory>
#include <utility>
#include <vector>

#include "common/contract/annotations.h"
#include "common/contract/encoding.h"
#include "common/contract/key_id.h"
#include "common/contract/request_verdict.h"
#include "supervisor/kms/request_record.h"
#include "supervisor/kms/second_opinions.h"

namespace baokms::supervisor {
namespace {

using contract::AnnotationView;

// How long a plaintext that was drawn for a sample waits for a second opinion. Long enough for a
// busy OpenBao; a worker that gives none must not cost calls more.
constexpr BootTime kSampleTime = std::chrono::milliseconds(500);

std::vector<AnnotationView> ViewsOf(const v2::DecryptRequest& request) {
  std::vector<AnnotationView> views;
  views.reserve(static_cast<std::size_t>(request.annotations_size()));
  for (const v2::Annotation& annotation : request.annotations()) {
    views.push_back({annotation.key(), annotation.value()});
  }
  return views;
}

bool IsBefore(const AnnotationView& a, const AnnotationView& b) {
  return a.key != b.key ? a.key < b.key : a.value < b.value;
}

bool IsEqual(const AnnotationView& a, const AnnotationView& b) {
  return a.key == b.key && a.value == b.value;
}

}  // namespace

Cause CheckDecryptRequest(const v2::DecryptRequest& request) {
  if (request.ciphertext().empty()) {
    return Cause::kEmptyCiphertext;
  }
  switch (contract::CheckSealedLimits(request.ciphertext(), request.key_id(), ViewsOf(request))) {
    case contract::RequestVerdict::kAccepted:
      break;
    case contract::RequestVerdict::kLimit:
      return Cause::kRequestLimit;
    case contract::RequestVerdict::kInvalid:
    case contract::RequestVerdict::kMismatch:
      return Cause::kAnnotationsInvalid;
  }
  return contract::KeyId::Parse(request.key_id()) ? Cause::kNone : Cause::kKeyIdMalformed;
}

bool AskTheSame(const v2::DecryptRequest& a, const v2::DecryptRequest& b) {
  if (a.ciphertext() != b.ciphertext() || a.key_id() != b.key_id() ||
      a.annotations_size() != b.annotations_size()) {
    return false;
  }
  std::vector<AnnotationView> of_a = ViewsOf(a);
  std::vector<AnnotationView> of_b = ViewsOf(b);
  std::ranges::sort(of_a, IsBefore);
  std::ranges::sort(of_b, IsBefore);
  return std::ranges::equal(of_a, of_b, IsEqual);
}

ipc::DecryptRequest WorkerDecryptRequest(
    const std::string& key_id,
    const std::string& ciphertext,
    const google::protobuf::RepeatedPtrField<v2::Annotation>& annotations,
    BootTime deadline) {
  ipc::DecryptRequest request;
  request.set_deadline_ns(deadline.count());
  request.set_key_id(key_id);
  request.set_ciphertext(ciphertext);
  for (const v2::Annotation& annotation : annotations) {
    ipc::IpcAnnotation& added = *request.add_annotations();
    added.set_key(annotation.key());
    added.set_value(annotation.value());
  }
  return request;
}

DecryptCall::DecryptCall(const CallContext& context, v2::DecryptRequest request)
    : WorkerCall(context), request_(std::move(request)), arrived_(BootNow()) {
}

void DecryptCall::Start(BootTime deadline) {
  deadline_ = deadline;
  discovered_ = false;
  first_.reset();
  second_.reset();
  Run([this] { return Advance(); });
}

Cause DecryptCall::Advance() {
  const std::shared_ptr<const StatusView> view = context().status.View();
  const auto entry = view->decryptable.find(request_.key_id());
  if (entry != view->decryptable.end()) {
    return AskForPlaintext(entry->second);
  }
  if (std::exchange(discovered_, true)) {
    return Cause::kKeyIdUnknown;
  }
  context().status.Discover(request_.key_id(), arrived_, deadline_,
                            [this, self = shared_from_this()](DiscoveryOutcome outcome) {
                              Run([&] {
                                switch (outcome) {
                                  case DiscoveryOutcome::kKnown:
                                    return Advance();
                                  case DiscoveryOutcome::kUnknown:
                                    return Cause::kKeyIdUnknown;
                                  case DiscoveryOutcome::kUnavailable:
                                    break;
                                }
                                return Cause::kDiscoveryFailed;
                              });
                            });
  return Cause::kNone;
}

Cause DecryptCall::AskForPlaintext(const DecryptableKey& key) {
  version_ = key.version;
  AskWorker(RequestFor(deadline_), WorkerChoice(),
            [this](Reply<ipc::DecryptAnswer>& reply) { return OnAnswer(reply); });
  return Cause::kNone;
}

ipc::DecryptRequest DecryptCall::RequestFor(BootTime deadline) const {
  return WorkerDecryptRequest(request_.key_id(), request_.ciphertext(), request_.annotations(),
                              deadline);
}

Cause DecryptCall::OnAnswer(Reply<ipc::DecryptAnswer>& reply) {
  Opinion opinion(reply);
  CountReply(context().observers.metrics, KmsMethod::kDecrypt, reply);
  check_ = context().decrypt_checks.CheckFor(opinion);
  if (check_ == DecryptChecks::Check::kNone) {
    if (IsLasting(opinion.cause())) {
      context().second_opinions.OnUnconfirmed(opinion);
    }
    Finish(opinion);
    return Cause::kNone;
  }
  first_.emplace(std::move(opinion));
  second_asked_ = BootNow();
  BootTime until = deadline_ - kTimeToRefuse;
  if (check_ == DecryptChecks::Check::kSampled) {
    until = std::min(until, second_asked_ + kSampleTime);
  }
  AskAgain({.not_this = first_->worker().slot}, until, &DecryptCall::OnSecondOpinion);
  return Cause::kNone;
}

void DecryptCall::AskAgain(const WorkerChoice& choice,
                           BootTime until,
                           Cause (DecryptCall::*then)(Opinion opinion)) {
  AskWorker(RequestFor(until), choice, [this, then](Reply<ipc::DecryptAnswer>& reply) {
    return (this->*then)(Opinion(reply));
  });
}

// Unless the first one was only drawn for a sample, the answer is refused as temporary without a
// second opinion: nobody makes one worker's word count by stopping the others.
Cause DecryptCall::OnSecondOpinion(Opinion second) {
  context().second_opinions.OnAsked(second.worker(), second.Counts(), second_asked_, BootNow());
  const bool unchecked = check_ == DecryptChecks::Check::kSampled && !second.Counts();
  if (unchecked) {
    context().observers.metrics.DecryptUnchecked();
  }
  if (unchecked || second.IsSame(*first_)) {
    Finish(*first_);
    return Cause::kNone;
  }
  if (!second.Contradicts(*first_)) {
    return Cause::kUnavailable;
  }
  second_.emplace(std::move(second));
  context().second_opinions.OnDecryptContradiction(*first_, *second_);
  AskAgain(WorkerChoice(), deadline_ - kTimeToRefuse, &DecryptCall::OnThirdOpinion);
  return Cause::kNone;
}

// Both workers that contradict each other have been replaced, so this is a third one, or a
// successor of one of them.
Cause DecryptCall::OnThirdOpinion(Opinion third) {
  if (!third.IsSame(*first_) && !third.IsSame(*second_)) {
    return Cause::kUnavailable;
  }
  Finish(third);
  return Cause::kNone;
}

void DecryptCall::Finish(const Opinion& opinion) {
  Finish({opinion.cause(), version_, contract::AsBytes(opinion.plaintext())});
}

void DecryptCall::Finish(const DecryptResult& result) {
  if (Close()) {
    OnEnd(result);
  }
}

}  // namespace baokms::supervisor
