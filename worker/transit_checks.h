// The checks before and after a call to Transit, for requests of callers and for probes alike, and
// the outcomes that the answers report.

#pragma once

#include <cstdint>
#include <string_view>

#include "common/base/secret_buffer.h"
#include "common/openbao/api.h"
#include "proto/ipc.pb.h"

namespace baokms::contract {
enum class RequestVerdict : std::uint8_t;
}  // namespace baokms::contract

namespace baokms::worker {

// Checks a plaintext before it is sent: INVALID_REQUEST when it is empty, REQUEST_LIMIT when its
// ciphertext would be too long, otherwise OUTCOME_OK.
ipc::Outcome CheckPlaintext(std::string_view plaintext, std::int64_t version);

// Returns the outcome for a ciphertext from a caller: REQUEST_LIMIT, or ANNOTATIONS_MISMATCH when
// it was not made with the key version of its key_id (docs/contract.md#decrypt).
ipc::Outcome OutcomeOfReceived(contract::RequestVerdict verdict);

// Checks Transit's answer to Encrypt with `version`: RESPONSE_LIMIT, or BAD_ANSWER when the
// ciphertext has another version.
ipc::Outcome CheckEncrypted(const openbao::EncryptValue& value, std::int64_t version);

// Checks Transit's answer to Decrypt: BAD_ANSWER when it is empty or longer than any accepted
// ciphertext permits.
ipc::Outcome CheckDecrypted(const SecretBuffer& plaintext);

// Moves the plaintext of a call that ended with `outcome` into `answer` if the checks permit.
// Returns the outcome of the answer.
template <typename Answer>
ipc::Outcome PutPlaintext(ipc::Outcome outcome, const SecretBuffer& plaintext, Answer& answer) {
  if (outcome == ipc::OUTCOME_OK) {
    outcome = CheckDecrypted(plaintext);
  }
  if (outcome == ipc::OUTCOME_OK) {
    // Not set_plaintext(), which assigns a string of its own that it does not wipe.
    answer.mutable_plaintext()->assign(plaintext.RevealText());
  }
  return outcome;
}

}  // namespace baokms::worker
