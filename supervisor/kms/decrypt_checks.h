// What a Decrypt request must be before anybody works on it, and when two of them are equal. Pure
// functions; annotations are parsed and compared by the worker.

#pragma once

#include "proto/kms_v2.pb.h"
#include "supervisor/kms/error_policy.h"

namespace baokms::supervisor {

// In the order of the contract: empty ciphertext, size limits, UTF-8 of the annotations, form of
// the key_id.
[[nodiscard]] Cause CheckDecryptRequest(const v2::DecryptRequest& request);

// Whether both ask for the same. The order of annotations does not matter: they are a map, and
// clients write it in any order. The uid does not matter either.
[[nodiscard]] bool AskTheSame(const v2::DecryptRequest& a, const v2::DecryptRequest& b);

}  // namespace baokms::supervisor
