// The text form of a Transit ciphertext, `vault:v<N>:<base64>`, and the sizes that follow from it.
//
// The text is passed on unchanged; it is parsed only to refuse malformed ones.

#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "common/base/result.h"
#include "common/contract/request_verdict.h"

namespace baokms::contract {

// Returns the key version of a well-formed ciphertext of 1 to kMaxCiphertextBytes: a canonical
// version, and canonical base64 of a nonce, at least one byte and a tag. OpenBao is less strict and
// accepts several spellings of one ciphertext.
Result<std::int64_t> ParseCiphertextVersion(std::string_view ciphertext);

// Returns kLimit above kMaxCiphertextBytes, kMismatch when the form is wrong or the version is not
// `version`, and kAccepted otherwise. An empty text is kMismatch; callers report it separately.
RequestVerdict CheckCiphertext(std::string_view ciphertext, std::int64_t version);

// Returns the length of the longest plaintext whose ciphertext under this key version fits into
// kMaxCiphertextBytes: 731 bytes for single-digit versions. Kubernetes sends 32.
std::size_t MaxPlaintextBytes(std::int64_t version);

}  // namespace baokms::contract
