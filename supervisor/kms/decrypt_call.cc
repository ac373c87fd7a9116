#include "supervisor/kms/decrypt_call.h"

#include <strings.h>

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <utility>

#include "common/base/clock.h"
#include "common/contract/encoding.h"
#include "proto/ipc.pb.h"
#include "proto/kms_v2.pb.h"
#include "supervisor/kms/error_policy.h"
#include "supervisor/kms/request_record.h"
#include "supervisor/status/status_source.h"
#include "supervisor/workers/worker_pool.h"

namespace baokms::supervisor {

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

DecryptCall::DecryptCall(const DecryptContext& context,
                         std::shared_ptr<const v2::DecryptRequest> request,
                         BootTime arrived,
                         BootTime deadline,
                         Done done)
    : context_(context),
      request_(std::move(request)),
      arrived_(arrived),
      deadline_(deadline),
      done_(std::move(done)) {
}

template <typename Step>
void DecryptCall::Guarded(Step step) {
  try {
    step();
  } catch (...) {
    End(Cause::kPanic);
  }
}

void DecryptCall::Start() {
  Guarded([this] { Advance(); });
}

void DecryptCall::Advance() {
  const std::shared_ptr<const StatusView> view = context_.status.View();
  const auto entry = view->decryptable.find(request_->key_id());
  if (entry != view->decryptable.end()) {
    AskWorker(entry->second);
  } else if (!std::exchange(discovered_, true)) {
    Discover();
  } else {
    End(Cause::kKeyIdUnknown);
  }
}

void DecryptCall::Discover() {
  const auto on_discovered = [self = shared_from_this()](DiscoveryOutcome outcome) {
    switch (outcome) {
      case DiscoveryOutcome::kKnown:
        self->Guarded([&] { self->Advance(); });
        return;
      case DiscoveryOutcome::kUnknown:
        self->End(Cause::kKeyIdUnknown);
        return;
      case DiscoveryOutcome::kUnavailable:
        self->End(Cause::kDiscoveryFailed);
        return;
    }
  };
  context_.status.Discover(request_->key_id(), arrived_, deadline_, on_discovered);
}

void DecryptCall::AskWorker(const DecryptableKey& key) {
  version_ = key.version;
  if (ended_) {
    return;
  }
  operation_ = context_.workers.Submit(
      WorkerDecryptRequest(request_->key_id(), request_->ciphertext(), request_->annotations(),
                           deadline_),
      WorkerChoice(), [self = shared_from_this()](Reply<ipc::DecryptAnswer> reply) {
        self->Guarded([&] { self->OnAnswer(std::move(reply)); });
      });
  if (ended_) {
    context_.workers.Cancel(operation_);  // Cancel() may have come before there was an id
  }
}

void DecryptCall::OnAnswer(Reply<ipc::DecryptAnswer> reply) {
  std::string& plaintext = *reply.answer.mutable_plaintext();
  Cause cause = CauseOf(reply.answer.outcome(), KmsMethod::kDecrypt);
  if (cause == Cause::kNone && plaintext.empty()) {
    cause = Cause::kBadAnswer;
  }
  End(cause, contract::AsBytes(plaintext));
  ::explicit_bzero(plaintext.data(), plaintext.size());
  CountReply(context_.observers.metrics, KmsMethod::kDecrypt, reply);
}

void DecryptCall::Cancel() {
  if (!ended_.exchange(true)) {
    context_.workers.Cancel(operation_);
  }
}

void DecryptCall::End(Cause cause, std::span<const std::uint8_t> plaintext) {
  if (!ended_.exchange(true)) {
    // Moved out to break a reference cycle: the callback owns the waiters, and they own this call.
    const Done done = std::move(done_);
    done({cause, version_, plaintext});
  }
}

}  // namespace baokms::supervisor
