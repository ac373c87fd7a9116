#include "supervisor/kms/service.h"

#include <algorithm>
#include <utility>

#include "supervisor/kms/encrypt_call.h"

namespace baokms::supervisor {
namespace {

constexpr const char* kVersion = "v2";
constexpr const char* kHealthy = "ok";
constexpr const char* kUnhealthy = "unhealthy";

}  // namespace

KmsService::KmsService(EventLoop& loop,
                       WorkerPool& workers,
                       StatusSource& status,
                       const Observers& observers,
                       ServiceOptions options)
    : observers_(observers),
      openbao_timeout_(options.openbao_timeout),
      admission_(options.limits),
      active_keys_(std::move(options.identity), std::move(options.plugin_version)),
      decrypt_checks_(options.verify_decrypt, workers.Workers().size()),
      second_opinions_(workers, observers_, workers.Workers().size()),
      context_{workers,         status,           active_keys_, admission_,
               decrypt_checks_, second_opinions_, observers_},
      decrypt_coalescer_(loop, context_) {
}

BootTime KmsService::DeadlineFor(BootTime caller_deadline) const {
  return std::min(caller_deadline, BootNow() + openbao_timeout_);
}

KmsService::StatusAnswer KmsService::Status() {
  const RequestRecord record(observers_, KmsMethod::kStatus);
  StatusAnswer answer;
  RequestDetails details;
  const Cause cause = Guarded([&] { return FillStatus(answer.response, details); });
  record.Finish(cause, details);
  answer.error = ErrorFor(cause);
  return answer;
}

// An unhealthy status is a successful answer. It contains no key_id, because kube-apiserver would
// continue to encrypt with that key.
Cause KmsService::FillStatus(v2::StatusResponse& response, RequestDetails& details) {
  const AdmissionPermit permit = admission_.TryEnter(KmsMethod::kStatus);
  if (permit == nullptr) {
    return Cause::kConcurrency;
  }
  const std::shared_ptr<const StatusView> view = context_.status.View();
  const ActiveKeys::Checked checked = active_keys_.Check(*view, BootNow(), UnixNow());
  response.set_version(kVersion);
  response.set_healthz(checked.key != nullptr ? kHealthy : kUnhealthy);
  details.healthz = response.healthz();
  if (checked.key != nullptr) {
    response.set_key_id(checked.key->key_id);
    details.key_id = response.key_id();
    details.version = view->active_version;
  }
  return Cause::kNone;
}

KmsCallPtr KmsService::Encrypt(v2::EncryptRequest& request,
                               BootTime caller_deadline,
                               EncryptDone done) {
  return EncryptCall::Start(context_, request, DeadlineFor(caller_deadline), std::move(done));
}

KmsCallPtr KmsService::Decrypt(v2::DecryptRequest& request,
                               BootTime caller_deadline,
                               DecryptDone done) {
  return decrypt_coalescer_.Start(std::move(request), DeadlineFor(caller_deadline),
                                  std::move(done));
}

}  // namespace baokms::supervisor
