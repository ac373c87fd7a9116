// The KMS v2 service without its transport: admission, the order of checks, and the conditions for
// an answer (docs/contract.md#kms-v2-calls). It knows no gRPC and holds no key material.

#pragma once

#include <memory>
#include <string>

#include "common/base/clock.h"
#include "common/base/event_loop.h"
#include "common/contract/identity.h"
#include "proto/kms_v2.pb.h"
#include "supervisor/config/choices.h"
#include "supervisor/kms/active_key.h"
#include "supervisor/kms/admission.h"
#include "supervisor/kms/decrypt_checks.h"
#include "supervisor/kms/decrypt_coalescer.h"
#include "supervisor/kms/error_policy.h"
#include "supervisor/kms/kms_call.h"
#include "supervisor/kms/request_record.h"
#include "supervisor/kms/second_opinions.h"
#include "supervisor/status/status_source.h"
#include "supervisor/workers/worker_pool.h"

namespace baokms::supervisor {

// Values from the configuration.
struct ServiceOptions {
  contract::KeyIdentity identity;
  std::string plugin_version;
  BootTime openbao_timeout{};  // total time of one request
  ConcurrencyLimits limits;
  VerifyDecrypt verify_decrypt = VerifyDecrypt::kSample;
};

// Status(), Encrypt() and Decrypt() may be called from any thread and let no exception escape. Must
// not be destroyed while the loop may still run, because timers of requests refer to the service.
class KmsService final {
 public:
  // Everything passed by reference must outlive the service. Answers arrive only while the loop
  // runs.
  KmsService(EventLoop& loop,
             WorkerPool& workers,
             StatusSource& status,
             const Observers& observers,
             ServiceOptions options);

  KmsService(const KmsService&) = delete;
  KmsService& operator=(const KmsService&) = delete;
  ~KmsService() = default;

  struct StatusAnswer {
    PublicError error;
    v2::StatusResponse response;  // valid with kOk
  };

  // Answers from the current view; never waits.
  [[nodiscard]] StatusAnswer Status();

  // Start one request. `caller_deadline` is the client's, or BootTime::max(). `request` is wiped.
  KmsCallPtr Encrypt(v2::EncryptRequest& request, BootTime caller_deadline, EncryptDone done);
  KmsCallPtr Decrypt(v2::DecryptRequest& request, BootTime caller_deadline, DecryptDone done);

  // Applies to requests that arrive from now on.
  void SetLimits(const ConcurrencyLimits& limits) { admission_.SetLimits(limits); }

 private:
  [[nodiscard]] BootTime DeadlineFor(BootTime caller_deadline) const;
  Cause FillStatus(v2::StatusResponse& response, RequestDetails& details);

  Observers observers_;
  BootTime openbao_timeout_;
  Admission admission_;
  ActiveKeys active_keys_;
  DecryptChecks decrypt_checks_;
  SecondOpinions second_opinions_;
  CallContext context_;
  DecryptCoalescer decrypt_coalescer_;
};

}  // namespace baokms::supervisor
