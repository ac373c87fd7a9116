// One Encrypt: everything from one view, the answer compared with our own computation, and then
// decrypted by another worker before anybody gets it. It is about one call per API server start,
// and a wrong ciphertext would lose data for good.

#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>

#include "common/base/clock.h"
#include "proto/ipc.pb.h"
#include "proto/kms_v2.pb.h"
#include "supervisor/kms/active_key.h"
#include "supervisor/kms/admission.h"
#include "supervisor/kms/kms_call.h"
#include "supervisor/kms/request_record.h"
#include "supervisor/status/status_source.h"
#include "supervisor/workers/worker_pool.h"

namespace baokms::supervisor {

// What every Encrypt works with; outlives all of them.
struct EncryptContext {
  WorkerPool& gateway;
  StatusSource& status;
  ActiveKeys& active_keys;
  const Observers& observers;
};

class EncryptCall final : public KmsCall, public std::enable_shared_from_this<EncryptCall> {
 public:
  // `plaintext` is taken over and wiped at the end.
  EncryptCall(const EncryptContext& context,
              Admission::AdmissionPermit permit,
              RequestRecord record,
              BootTime deadline,
              EncryptDone done);

  EncryptCall(const EncryptCall&) = delete;
  EncryptCall& operator=(const EncryptCall&) = delete;
  ~EncryptCall() override;

  // Runs the checks and asks a worker. Once.
  void Start(std::string plaintext);

  void Cancel() override;

 private:
  // Whether the worker that verifies may be another one than asked for.
  enum class Verifier : std::uint8_t { kAnotherWorker, kSameWorker };

  Cause Prepare(ipc::EncryptRequest& request);
  void OnEncrypted(Reply<ipc::EncryptAnswer> reply);
  Cause CheckAnswer(const ipc::EncryptAnswer& answer) const;
  void KeepResponse(ipc::EncryptAnswer& answer);
  void Verify(Verifier verifier);
  void OnVerified(Verifier verifier, Reply<ipc::DecryptAnswer> reply);
  void NoteSelfVerified() const;
  void End(Cause cause);

  // Runs one step; whatever it throws ends the call.
  template <typename Step>
  void Guarded(Step step);

  const EncryptContext& context_;
  Admission::AdmissionPermit permit_;
  RequestRecord record_;
  BootTime deadline_;
  EncryptDone done_;
  std::string plaintext_;
  std::shared_ptr<const ActiveKey> key_;
  v2::EncryptResponse response_;
  Slot encrypted_by_ = 0;
  std::atomic<OperationId> operation_{0};
  std::atomic<bool> ended_{false};
};

}  // namespace baokms::supervisor
