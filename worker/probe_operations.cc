#include <string>
#include <utility>

#include "common/base/result.h"
#include "common/base/secret_buffer.h"
#include "common/contract/key_binding.h"
#include "common/contract/transit_ciphertext.h"
#include "common/openbao/api.h"
#include "proto/ipc.pb.h"
#include "worker/operations.h"
#include "worker/transit_checks.h"

namespace baokms::worker {

void ProbeEncryptOperation::Begin(ipc::ProbeEncryptRequest& request) {
  const ipc::Outcome allowed = request.version() == 0
                                   ? ipc::OUTCOME_INVALID_REQUEST
                                   : CheckPlaintext(request.plaintext(), request.version());
  if (allowed != ipc::OUTCOME_OK) {
    End(allowed);
    return;
  }
  Result<SecretBuffer> plaintext = SecretBuffer::TakeFrom(*request.mutable_plaintext());
  if (!plaintext) {
    End(ipc::OUTCOME_OVERLOADED);
    return;
  }
  plaintext_ = *std::move(plaintext);
  CallTransit<openbao::EncryptValue>(
      [this, version = request.version()](const openbao::CallContext& call,
                                          openbao::Done<openbao::EncryptValue> done) {
        return transit().Encrypt(call, version, plaintext_.Reveal(),
                                 contract::kStatusProbeAssociatedData, std::move(done));
      },
      [this, version = request.version()](ipc::Outcome outcome, openbao::EncryptValue value) {
        if (outcome == ipc::OUTCOME_OK) {
          outcome = CheckEncrypted(value, version);
        }
        if (outcome == ipc::OUTCOME_OK) {
          answer().set_ciphertext(std::move(value.ciphertext));
        }
        End(outcome);
      });
}

void ProbeDecryptOperation::Begin(const ipc::ProbeDecryptRequest& request) {
  const ipc::Outcome allowed =
      request.ciphertext().empty()
          ? ipc::OUTCOME_INVALID_REQUEST
          : OutcomeOfReceived(contract::CheckCiphertext(request.ciphertext(), request.version()));
  if (allowed != ipc::OUTCOME_OK) {
    End(allowed);
    return;
  }
  ciphertext_ = request.ciphertext();
  CallTransit<SecretBuffer>(
      [this](const openbao::CallContext& call, openbao::Done<SecretBuffer> done) {
        return transit().Decrypt(call, ciphertext_, contract::kStatusProbeAssociatedData,
                                 std::move(done));
      },
      [this](ipc::Outcome outcome, const SecretBuffer& plaintext) {
        End(PutPlaintext(outcome, plaintext, answer()));
      });
}

}  // namespace baokms::worker
