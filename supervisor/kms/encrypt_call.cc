#include "supervisor/kms/encrypt_call.h"

#include <algorithm>
#include <array>
#include <utility>

#include "common/base/log.h"
#include "common/contract/annotations.h"
#include "common/contract/request_verdict.h"
#include "common/contract/transit_ciphertext.h"
#include "supervisor/kms/decrypt_call.h"
#include "supervisor/kms/second_opinions.h"
#include "supervisor/kms/secret_text.h"
#include "supervisor/status/status_source.h"

namespace baokms::supervisor {
namespace {

// Returns whether a failed verification is evidence about the ciphertext rather than about the
// worker, its token or OpenBao.
bool IsAboutCiphertext(ipc::Outcome outcome) {
  constexpr std::array kOutcomes = {
      ipc::OUTCOME_INVALID_REQUEST,      ipc::OUTCOME_DECRYPT_FAILED,
      ipc::OUTCOME_KEY_ID_MALFORMED,     ipc::OUTCOME_ANNOTATIONS_INVALID,
      ipc::OUTCOME_ANNOTATIONS_MISMATCH, ipc::OUTCOME_REQUEST_LIMIT,
      ipc::OUTCOME_RESPONSE_LIMIT};
  return std::ranges::find(kOutcomes, outcome) != kOutcomes.end();
}

}  // namespace

EncryptCall::EncryptCall(const CallContext& context,
                         AdmissionPermit permit,
                         RequestRecord record,
                         BootTime deadline,
                         EncryptDone done)
    : WorkerCall(context),
      permit_(std::move(permit)),
      record_(std::move(record)),
      deadline_(deadline),
      done_(std::move(done)) {
}

EncryptCall::~EncryptCall() {
  Wipe(plaintext_);
}

KmsCallPtr EncryptCall::Start(const CallContext& context,
                              v2::EncryptRequest& request,
                              BootTime deadline,
                              EncryptDone done) {
  const RequestRecord record(context.observers, KmsMethod::kEncrypt, request.uid());
  AdmissionPermit permit = context.admission.TryEnter(KmsMethod::kEncrypt);
  if (permit == nullptr) {
    Wipe(*request.mutable_plaintext());
    record.Finish(Cause::kConcurrency, {});
    done(ErrorFor(Cause::kConcurrency), v2::EncryptResponse());
    return nullptr;
  }
  const auto call =
      std::make_shared<EncryptCall>(context, std::move(permit), record, deadline, std::move(done));
  // Moved, so that no second copy of the plaintext remains on the heap.
  call->plaintext_ = std::move(*request.mutable_plaintext());
  Wipe(*request.mutable_plaintext());
  call->Run([&call] { return call->Encrypt(); });
  return call;
}

// Runs the checks and asks a worker.
Cause EncryptCall::Encrypt() {
  ipc::EncryptRequest request;
  const Cause cause = Prepare(request);
  if (cause == Cause::kNone) {
    AskWorker(std::move(request), WorkerChoice(),
              [this](Reply<ipc::EncryptAnswer>& reply) { return OnEncrypted(reply); });
  }
  return cause;
}

Cause EncryptCall::Prepare(ipc::EncryptRequest& request) {
  if (plaintext_.empty()) {
    return Cause::kEmptyPlaintext;
  }
  const std::shared_ptr<const StatusView> view = context().status.View();
  ActiveKeys::Checked checked = context().active_keys.Check(*view, BootNow(), UnixNow());
  if (checked.key == nullptr) {
    return checked.cause;
  }
  key_ = std::move(checked.key);
  if (plaintext_.size() > contract::MaxPlaintextBytes(key_->version.number)) {
    return Cause::kRequestLimit;
  }
  request.set_deadline_ns(deadline_.count());
  request.set_table_generation(view->table_generation);
  request.set_key_id(key_->key_id);
  request.set_plaintext(plaintext_);
  return Cause::kNone;
}

Cause EncryptCall::OnEncrypted(Reply<ipc::EncryptAnswer>& reply) {
  CountReply(context().observers.metrics, KmsMethod::kEncrypt, reply);
  if (const Cause cause = CauseOf(reply.answer.outcome(), KmsMethod::kEncrypt);
      cause != Cause::kNone) {
    return cause;
  }
  maker_ = reply.worker;
  if (const Cause cause = CheckAnswer(reply.answer); cause != Cause::kNone) {
    return OnContradiction(std::nullopt, cause);
  }
  KeepResponse(reply.answer);
  Verify(Verifier::kAnotherWorker);
  return Cause::kNone;
}

// A worker is not trusted: what it says about the key must equal the supervisor's own computation.
Cause EncryptCall::CheckAnswer(const ipc::EncryptAnswer& answer) const {
  const bool annotations_equal =
      std::ranges::equal(answer.annotations(), key_->annotations,
                         [](const ipc::IpcAnnotation& theirs, const contract::Annotation& ours) {
                           return theirs.key() == ours.key && theirs.value() == ours.value;
                         });
  if (answer.key_id() != key_->key_id || !annotations_equal) {
    return Cause::kBadAnswer;
  }
  switch (contract::CheckCiphertext(answer.ciphertext(), key_->version.number)) {
    case contract::RequestVerdict::kAccepted:
      return Cause::kNone;
    case contract::RequestVerdict::kLimit:
      return Cause::kResponseLimit;
    case contract::RequestVerdict::kInvalid:
    case contract::RequestVerdict::kMismatch:
      break;
  }
  return Cause::kBadAnswer;
}

void EncryptCall::KeepResponse(ipc::EncryptAnswer& answer) {
  response_.Clear();
  response_.set_ciphertext(std::move(*answer.mutable_ciphertext()));
  response_.set_key_id(key_->key_id);
  for (const contract::Annotation& annotation : key_->annotations) {
    v2::Annotation& added = *response_.add_annotations();
    added.set_key(annotation.key.data(), annotation.key.size());
    added.set_value(annotation.value);
  }
}

void EncryptCall::Verify(Verifier verifier) {
  WorkerChoice choice{.not_this = maker_.slot};
  BootTime until = deadline_ - kTimeToRefuse;
  verifier_asked_ = BootNow();
  switch (verifier) {
    case Verifier::kAnotherWorker:
      choice.fallback = WorkerChoice::Fallback::kSameWorker;
      // What went wrong once must not use up the time for a second try.
      until = verifier_asked_ + (deadline_ - verifier_asked_) / 2;
      break;
    case Verifier::kAnotherAgain:
      break;
    case Verifier::kSameWorker:
      choice = {.only = maker_.slot};
      break;
  }
  ipc::DecryptRequest request = WorkerDecryptRequest(response_.key_id(), response_.ciphertext(),
                                                     response_.annotations(), until);
  request.set_fresh_connection(verifier == Verifier::kSameWorker);
  AskWorker(std::move(request), choice, [this, verifier](Reply<ipc::DecryptAnswer>& reply) {
    return OnVerified(verifier, reply);
  });
}

Cause EncryptCall::OnVerified(Verifier verifier, Reply<ipc::DecryptAnswer>& reply) {
  const ipc::Outcome outcome = reply.answer.outcome();
  const bool decrypted = outcome == ipc::OUTCOME_OK;
  const bool by_maker = reply.worker.slot == maker_.slot && reply.worker.number != 0;
  if (!by_maker) {
    context().second_opinions.OnAsked(reply.worker, decrypted || IsAboutCiphertext(outcome),
                                      verifier_asked_, BootNow());
  }
  if (!decrypted && !IsAboutCiphertext(outcome)) {
    return OnNotVerified(verifier, outcome);
  }
  const bool same = decrypted && IsSameSecret(reply.answer.plaintext(), plaintext_);
  Wipe(*reply.answer.mutable_plaintext());
  if (!same) {
    return by_maker ? Cause::kBadAnswer : OnContradiction(reply.worker, Cause::kBadAnswer);
  }
  if (by_maker) {
    NoteSelfVerified();
  }
  End(Cause::kNone);
  return Cause::kNone;
}

// A worker that has no token keeps no API server from starting, and it cannot be made to lose it by
// another one. Everything else can be arranged by whoever made the ciphertext: it may answer late,
// or have the others killed. The answer is refused as temporary then.
Cause EncryptCall::OnNotVerified(Verifier verifier, ipc::Outcome outcome) {
  const Cause cause = CauseOf(outcome, KmsMethod::kEncrypt);
  if (verifier == Verifier::kAnotherWorker && BootNow() < deadline_ - kTimeToRefuse) {
    Verify(cause == Cause::kUnauthenticated && !AnotherIsLost() ? Verifier::kSameWorker
                                                                : Verifier::kAnotherAgain);
    return Cause::kNone;
  }
  return cause == Cause::kDeadline || IsLasting(cause) ? Cause::kUnavailable : cause;
}

// Those that may have lied are replaced, so that the second try is made by others.
Cause EncryptCall::OnContradiction(const std::optional<WorkerProcess>& verifier, Cause cause) {
  const bool replaced =
      context().second_opinions.OnEncryptContradiction(maker_, verifier, BootNow());
  return replaced && !std::exchange(repeated_, true) ? Encrypt() : cause;
}

bool EncryptCall::AnotherIsLost() const {
  return std::ranges::any_of(context().workers.Workers(), [this](const WorkerState& worker) {
    return worker.slot != maker_.slot && worker.lost;
  });
}

void EncryptCall::NoteSelfVerified() const {
  context().observers.metrics.EncryptSelfVerified();
  LogRecord record;
  record.level = LogLevel::kWarn;
  record.event = "kms.encrypt_self_verified";
  record.fields.emplace_back("worker", std::int64_t{maker_.slot});
  context().observers.log.Write(record);
}

void EncryptCall::Cancel() {
  if (Withdraw()) {
    Answer(Cause::kCanceled);
  }
}

void EncryptCall::End(Cause cause) {
  if (Close()) {
    Answer(cause);
  }
}

void EncryptCall::Answer(Cause cause) {
  const bool failed = cause != Cause::kNone && cause != Cause::kCanceled;
  if (failed && cause != Cause::kPanic && BootNow() >= deadline_) {
    cause = Cause::kDeadline;  // takes precedence over the failure it caused
  }
  RequestDetails details;
  if (key_ != nullptr) {
    details.key_id = key_->key_id;
    details.version = static_cast<std::uint32_t>(key_->version.number);
  }
  permit_.reset();
  // A failure discloses nothing, not even a partial response.
  done_(ErrorFor(cause), cause == Cause::kNone ? response_ : v2::EncryptResponse());
  record_.Finish(cause, details);
}

}  // namespace baokms::supervisor
