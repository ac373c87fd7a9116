#include "worker/transit_checks.h"

#include <cstdint>
#include <string_view>

#include "common/base/secret_buffer.h"
#include "common/contract/transit_ciphertext.h"
#include "common/contract/verdict.h"
#include "common/openbao/api.h"
#include "proto/ipc.pb.h"

namespace baokms::worker {

ipc::Outcome CheckPlaintext(std::string_view plaintext, std::int64_t version) {
  if (plaintext.empty()) {
    return ipc::OUTCOME_INVALID_REQUEST;
  }
  return plaintext.size() <= contract::MaxPlaintextBytes(version) ? ipc::OUTCOME_OK
                                                                  : ipc::OUTCOME_REQUEST_LIMIT;
}

ipc::Outcome OutcomeOfReceived(contract::Verdict verdict) {
  switch (verdict) {
    case contract::Verdict::kAccepted:
      return ipc::OUTCOME_OK;
    case contract::Verdict::kLimit:
      return ipc::OUTCOME_REQUEST_LIMIT;
    case contract::Verdict::kInvalid:
      return ipc::OUTCOME_ANNOTATIONS_INVALID;
    case contract::Verdict::kMismatch:
      break;
  }
  return ipc::OUTCOME_ANNOTATIONS_MISMATCH;
}

ipc::Outcome CheckEncrypted(const openbao::EncryptValue& value, std::int64_t version) {
  // OpenBao writes 0 when it does not state the version.
  const std::int64_t stated = value.key_version.value_or(0);
  if (stated != 0 && stated != version) {
    return ipc::OUTCOME_BAD_ANSWER;
  }
  switch (contract::CheckCiphertext(value.ciphertext, version)) {
    case contract::Verdict::kAccepted:
      return ipc::OUTCOME_OK;
    case contract::Verdict::kLimit:
      return ipc::OUTCOME_RESPONSE_LIMIT;
    case contract::Verdict::kInvalid:
    case contract::Verdict::kMismatch:
      break;
  }
  return ipc::OUTCOME_BAD_ANSWER;
}

ipc::Outcome CheckDecrypted(const SecretBuffer& plaintext) {
  return plaintext.size() > 0 && plaintext.size() <= contract::MaxPlaintextBytes(1)
             ? ipc::OUTCOME_OK
             : ipc::OUTCOME_BAD_ANSWER;
}

}  // namespace baokms::worker
