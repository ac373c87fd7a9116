// What the check of a Transit ciphertext means for an answer.

#pragma once

#include "common/contract/verdict.h"
#include "proto/ipc.pb.h"

namespace baokms::worker {

// A ciphertext that the caller sent: REQUEST_LIMIT, or ANNOTATIONS_MISMATCH when it was not made
// with the key version of its key_id (docs/contract.md#decrypt).
constexpr ipc::Outcome OutcomeOfReceived(contract::Verdict verdict) {
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

// A ciphertext that OpenBao made: RESPONSE_LIMIT, or BAD_ANSWER when it is not of the version that
// was asked for.
constexpr ipc::Outcome OutcomeOfMade(contract::Verdict verdict) {
  switch (verdict) {
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

}  // namespace baokms::worker
