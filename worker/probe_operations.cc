#include "worker/probe_operations.h"

#include <string>
#include <utility>

#include "common/base/result.h"
#include "common/base/secret_buffer.h"
#include "common/contract/aad.h"
#include "common/contract/transit_ciphertext.h"
#include "common/openbao/api.h"
#include "proto/ipc.pb.h"
#include "worker/ciphertext_outcome.h"
#include "worker/token_call.h"
#include "worker/transit_decrypt.h"
#include "worker/transit_encrypt.h"
#include "worker/wipe.h"

namespace baokms::worker {

void ProbeEncryptOperation::Begin(ipc::ProbeEncryptRequest& request) {
  const ipc::Outcome allowed = request.version() == 0
                                   ? ipc::OUTCOME_INVALID_REQUEST
                                   : CheckPlaintext(request.plaintext(), request.version());
  if (allowed != ipc::OUTCOME_OK) {
    End(allowed);
    return;
  }
  Result<SecretBuffer> plaintext =
      SecretBuffer::TakeFrom(MutableBytes(*request.mutable_plaintext()));
  if (!plaintext) {
    End(ipc::OUTCOME_OVERLOADED);
    return;
  }
  TransitEncrypt::Job job{*std::move(plaintext), request.version(),
                          std::string(contract::kStatusProbeAssociatedData)};
  encrypt_.emplace(context().sources, deadline(), std::move(job),
                   [this](CallEnd end, std::string ciphertext) {
                     OnEncrypted(std::move(end), std::move(ciphertext));
                   });
  encrypt_->Begin();
}

void ProbeEncryptOperation::OnEncrypted(CallEnd end, std::string ciphertext) {
  Account(end, answer());
  answer().set_ciphertext(std::move(ciphertext));
  End(end.outcome);
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
  TransitDecrypt::Job job{request.ciphertext(), std::string(contract::kStatusProbeAssociatedData),
                          openbao::ConnectionUse::kAny};
  decrypt_.emplace(context().sources, deadline(), std::move(job),
                   [this](CallEnd end, const SecretBuffer& plaintext) {
                     OnDecrypted(std::move(end), plaintext);
                   });
  decrypt_->Begin();
}

void ProbeDecryptOperation::OnDecrypted(CallEnd end, const SecretBuffer& plaintext) {
  Account(end, answer());
  const auto bytes = plaintext.Reveal();
  answer().set_plaintext(bytes.data(), bytes.size());
  End(end.outcome);
}

}  // namespace baokms::worker
