// The text form of a Transit ciphertext, `vault:v<N>:<base64>`, and the sizes that follow from it.
//
// The text is passed on as it came; it is looked into only to be refused.

#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "common/base/result.h"
#include "common/contract/verdict.h"

namespace baokms::contract {

// The key version inside a well-formed ciphertext of 1 to kMaxCiphertextBytes: canonical version,
// canonical base64 of a nonce, at least one byte and a tag. OpenBao itself is laxer, so that one
// ciphertext has several spellings there.
Result<std::int64_t> ParseCiphertextVersion(std::string_view ciphertext);

// kLimit above kMaxCiphertextBytes; kMismatch when the form is wrong or the version inside is not
// `version`; else kAccepted. An empty text is kMismatch: callers have an own answer for it.
Verdict CheckCiphertext(std::string_view ciphertext, std::int64_t version);

// The longest plaintext whose ciphertext under this key version stays within kMaxCiphertextBytes:
// 731 bytes for versions of one digit. Kubernetes sends 32.
std::size_t MaxPlaintextBytes(std::int64_t version);

}  // namespace baokms::contract
