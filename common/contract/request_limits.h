// The size limits of complete KMS requests and responses, checked in a fixed order. Empty values
// are not checked here, because they have their own error texts.

#pragma once

#include <span>
#include <string_view>

#include "common/contract/annotations.h"
#include "common/contract/verdict.h"

namespace baokms::contract {

// Checks the ciphertext, then the key_id, then the annotations. Returns kLimit, kInvalid
// (annotations that are not UTF-8) or kAccepted. Also applies to the response to Encrypt, which has
// the same limits.
Verdict CheckSealedLimits(std::string_view ciphertext,
                          std::string_view key_id,
                          std::span<const AnnotationView> annotations);

}  // namespace baokms::contract
