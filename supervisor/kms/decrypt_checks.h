// Validates Decrypt requests before any work is done, and decides when two of them are equal. Pure
// functions; annotations are parsed and compared by the worker.

#pragma once

#include "proto/kms_v2.pb.h"
#include "supervisor/kms/error_policy.h"

namespace baokms::supervisor {

// Checks in the order of the contract: empty ciphertext, size limits, UTF-8 of the annotations,
// format of the key_id. Returns Cause::kNone for a valid request.
[[nodiscard]] Cause CheckDecryptRequest(const v2::DecryptRequest& request);

// Returns whether both requests ask for the same decryption. The order of annotations does not
// matter, because they are a map that clients serialise in any order. The uid does not matter
// either.
[[nodiscard]] bool AskTheSame(const v2::DecryptRequest& a, const v2::DecryptRequest& b);

}  // namespace baokms::supervisor
