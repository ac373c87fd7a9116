// The size limits of whole KMS requests and answers, in the order in which they are checked.
// Emptiness is not checked here: it has its own texts.

#pragma once

#include <span>
#include <string_view>

#include "common/contract/annotations.h"
#include "common/contract/verdict.h"

namespace baokms::contract {

// Ciphertext, then key_id, then annotations. kLimit, kInvalid (annotations that are not UTF-8) or
// kAccepted. Also for the answer to Encrypt, which is bounded in the same way.
Verdict CheckSealedLimits(std::string_view ciphertext,
                          std::string_view key_id,
                          std::span<const AnnotationView> annotations);

}  // namespace baokms::contract
