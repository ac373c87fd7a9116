// One Encrypt: everything is taken from one view, the worker's answer is compared with the
// supervisor's own computation, and another worker decrypts the ciphertext before the client
// receives it. There is about one call for each start of an API server, and a wrong ciphertext
// would lose data permanently.

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

// Dependencies that all Encrypt calls share; they must outlive every call.
struct EncryptContext {
  WorkerPool& workers;
  StatusSource& status;
  ActiveKeys& active_keys;
  Admission& admission;
  const Observers& observers;
};

class EncryptCall final : public KmsCall, public std::enable_shared_from_this<EncryptCall> {
 public:
  // Counts the request, admits it and asks a worker. Wipes the plaintext of `request`.
  static KmsCallPtr Start(const EncryptContext& context,
                          v2::EncryptRequest& request,
                          BootTime deadline,
                          EncryptDone done);

  // For Start() only.
  EncryptCall(const EncryptContext& context,
              Admission::AdmissionPermit permit,
              RequestRecord record,
              BootTime deadline,
              EncryptDone done);

  EncryptCall(const EncryptCall&) = delete;
  EncryptCall& operator=(const EncryptCall&) = delete;
  ~EncryptCall() override;

  void Cancel() override;

 private:
  // Who verifies: preferably another worker, as a last resort the one that encrypted.
  enum class Verifier : std::uint8_t { kAnotherWorker, kSameWorker };

  // Runs the checks and asks a worker. Must be called once. `plaintext` is wiped at the end.
  void Ask(std::string plaintext);
  Cause Prepare(ipc::EncryptRequest& request);
  void OnEncrypted(Reply<ipc::EncryptAnswer> reply);
  Cause CheckAnswer(const ipc::EncryptAnswer& answer) const;
  void KeepResponse(ipc::EncryptAnswer& answer);
  void Verify(Verifier verifier);
  void OnVerified(Verifier verifier, Reply<ipc::DecryptAnswer> reply);
  void NoteSelfVerified() const;
  void End(Cause cause);

  // Runs one step; an exception inside it fails the call.
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
  std::atomic<RequestId> operation_{0};
  std::atomic<bool> ended_{false};
};

}  // namespace baokms::supervisor
