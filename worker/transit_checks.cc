#include "worker/transit_checks.h"

#include "common/contract/request_verdict.h"
#include "common/contract/transit_ciphertext.h"

namespace baokms::worker {

ipc::Outcome CheckPlaintext(std::string_view plaintext, std::int64_t version) {
  if (plaintext.empty()) {
    return ipc::OUTCOME_INVALID_REQUEST;
  }
  return plaintext.size() <= contract::MaxPlaintextBytes(version) ? ipc::OUTCOME_OK
                                                                  : ipc::OUTCOME_REQUEST_LIMIT;
}

ipc::Outcome OutcomeOfReceived(contract::RequestVerdict verdict) {
  switch (verdict) {
    case contract::RequestVerdict::kAccepted:
      return ipc::OUTCOME_OK;
    case contract::RequestVerdict::kLimit:
      return ipc::OUTCOME_REQUEST_LIMIT;
    case contract::RequestVerdict::kInvalid:
      return ipc::OUTCOME_ANNOTATIONS_INVALID;
    case contract::RequestVerdict::kMismatch:
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
    case contract::RequestVerdict::kAccepted:
      return ipc::OUTCOME_OK;
    case contract::RequestVerdict::kLimit:
      return ipc::OUTCOME_RESPONSE_LIMIT;
    case contract::RequestVerdict::kInvalid:
    case contract::RequestVerdict::kMismatch:
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
