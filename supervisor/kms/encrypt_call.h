// One Encrypt: everything is taken from one view, the worker's answer is compared with the
// supervisor's own computation, and another worker decrypts the ciphertext before the client
// receives it. There is about one call for each start of an API server, and a wrong ciphertext
// would lose data permanently. If an answer turns out to be wrong, those that may have lied are
// replaced, and the call begins again once.

#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "common/base/clock.h"
#include "proto/ipc.pb.h"
#include "proto/kms_v2.pb.h"
#include "supervisor/kms/active_key.h"
#include "supervisor/kms/admission.h"
#include "supervisor/kms/error_policy.h"
#include "supervisor/kms/kms_call.h"
#include "supervisor/kms/request_record.h"
#include "supervisor/workers/worker_pool.h"

namespace baokms::supervisor {

class EncryptCall final : public KmsCall, public WorkerCall {
 public:
  // Counts the request, admits it and asks a worker. Wipes the plaintext of `request`.
  static KmsCallPtr Start(const CallContext& context,
                          v2::EncryptRequest& request,
                          BootTime deadline,
                          EncryptDone done);

  // For Start() only.
  EncryptCall(const CallContext& context,
              AdmissionPermit permit,
              RequestRecord record,
              BootTime deadline,
              EncryptDone done);

  ~EncryptCall() override;

  void Cancel() override;

 private:
  // Who verifies: another worker, which is asked twice. The one that encrypted is asked only if no
  // other one can start or log in; the pool does so for kAnotherWorker if no other one runs.
  enum class Verifier : std::uint8_t { kAnotherWorker, kAnotherAgain, kSameWorker };

  Cause Encrypt();
  Cause Prepare(ipc::EncryptRequest& request);
  Cause OnEncrypted(Reply<ipc::EncryptAnswer>& reply);
  Cause CheckAnswer(const ipc::EncryptAnswer& answer) const;
  void KeepResponse(ipc::EncryptAnswer& answer);
  void Verify(Verifier verifier);
  [[nodiscard]] bool AnotherIsLost() const;
  Cause OnVerified(Verifier verifier, Reply<ipc::DecryptAnswer>& reply);
  Cause OnNotVerified(Verifier verifier, ipc::Outcome outcome);
  Cause OnContradiction(const std::optional<WorkerProcess>& verifier, Cause cause);
  void NoteSelfVerified() const;
  void End(Cause cause) override;
  void Answer(Cause cause);

  AdmissionPermit permit_;
  RequestRecord record_;
  BootTime deadline_;
  EncryptDone done_;
  std::string plaintext_;  // wiped at the end
  std::shared_ptr<const ActiveKey> key_;
  v2::EncryptResponse response_;
  WorkerProcess maker_;  // the worker that encrypted
  BootTime verifier_asked_{};
  bool repeated_ = false;
};

}  // namespace baokms::supervisor
