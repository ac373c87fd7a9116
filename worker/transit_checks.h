// What is checked before and after a call of Transit, for requests of callers and for probes alike,
// and what each result means for the answer.

#pragma once

#include <cstdint>
#include <string_view>

#include "common/base/secret_buffer.h"
#include "common/openbao/api.h"
#include "proto/ipc.pb.h"

namespace baokms::contract {
enum class Verdict : std::uint8_t;
}  // namespace baokms::contract

namespace baokms::worker {

// A plaintext that is to be sent: INVALID_REQUEST when it is empty, REQUEST_LIMIT when its
// ciphertext would be too long, else OUTCOME_OK.
ipc::Outcome CheckPlaintext(std::string_view plaintext, std::int64_t version);

// A ciphertext that a caller sent: REQUEST_LIMIT, or ANNOTATIONS_MISMATCH when it was not made with
// the key version of its key_id (docs/contract.md#decrypt).
ipc::Outcome OutcomeOfReceived(contract::Verdict verdict);

// What Transit answered to Encrypt with `version`: RESPONSE_LIMIT, or BAD_ANSWER when the
// ciphertext is not of that version.
ipc::Outcome CheckEncrypted(const openbao::EncryptValue& value, std::int64_t version);

// What Transit answered to Decrypt: BAD_ANSWER when it is empty or more than any accepted
// ciphertext can hold.
ipc::Outcome CheckDecrypted(const SecretBuffer& plaintext);

// Puts the plaintext of a call that ended with `outcome` into `answer` if it may go there. Returns
// the outcome of the answer.
template <typename Answer>
ipc::Outcome PutPlaintext(ipc::Outcome outcome, const SecretBuffer& plaintext, Answer& answer) {
  if (outcome == ipc::OUTCOME_OK) {
    outcome = CheckDecrypted(plaintext);
  }
  if (outcome == ipc::OUTCOME_OK) {
    answer.set_plaintext(plaintext.Reveal().data(), plaintext.size());
  }
  return outcome;
}

}  // namespace baokms::worker
