// The encodings the contract is built from: SHA-256, base64 in both alphabets, canonical decimals.
//
// Decoding is strict: a text is accepted only if encoding the result gives the same text again.

#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/result.h"

namespace baokms::contract {

using Sha256Digest = std::array<std::uint8_t, 32>;

// Base64url of a SHA-256 digest, without padding.
inline constexpr std::size_t kEncodedDigestBytes = 43;

// Views the characters of `text` as bytes. The view lives as long as `text` does.
std::span<const std::uint8_t> AsBytes(std::string_view text);

// Aborts when libcrypto has no SHA-256: nothing this project does would be safe after that.
Sha256Digest Sha256(std::span<const std::uint8_t> bytes);

// H(s) of the contract: base64url of the SHA-256 of the text, 43 characters.
std::string HashText(std::string_view text);

// True when `text` is exactly the 43 characters of an encoded SHA-256 digest.
bool IsEncodedDigest(std::string_view text);

// Characters that padded base64 of `bytes` bytes takes.
constexpr std::size_t Base64Size(std::size_t bytes) {
  return (bytes + 2) / 3 * 4;
}

// Encodes with the standard alphabet and padding.
std::string EncodeBase64(std::span<const std::uint8_t> bytes);

// Decodes canonical padded base64: no whitespace, no missing padding, unused bits zero.
Result<std::vector<std::uint8_t>> DecodeBase64(std::string_view text);

// As above for secret bytes: the only place the bytes go is `out` (working copies are wiped).
// Returns the number of characters or bytes written; kResourceExhausted when `out` is too small.
// A refused text may leave decoded bytes in `out`.
Result<std::size_t> EncodeBase64Into(std::span<const std::uint8_t> bytes,
                                     std::span<std::uint8_t> out);
Result<std::size_t> DecodeBase64Into(std::string_view text, std::span<std::uint8_t> out);

// The URL-safe alphabet without padding.
std::string EncodeBase64Url(std::span<const std::uint8_t> bytes);

// Decodes canonical base64url: no padding, unused bits zero.
Result<std::vector<std::uint8_t>> DecodeBase64Url(std::string_view text);

// Parses a decimal from 1 to kMaxInteger without sign or leading zeros.
Result<std::int64_t> ParsePositiveDecimal(std::string_view text);

}  // namespace baokms::contract
