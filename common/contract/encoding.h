// The encodings of the data contract: SHA-256, base64 in both alphabets, canonical decimals.
//
// Decoding is strict: a text is accepted only if encoding the result yields the same text.

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

// Views the characters of `text` as bytes. The view is valid as long as `text` is.
std::span<const std::uint8_t> AsBytes(std::string_view text);

// Computes the digest. Aborts when libcrypto lacks SHA-256, because no operation of this project
// would be safe without it.
Sha256Digest Sha256(std::span<const std::uint8_t> bytes);

// Computes H(s) of the contract: base64url of the SHA-256 of the text, 43 characters.
std::string HashText(std::string_view text);

// Returns whether `text` consists of the 43 characters of an encoded SHA-256 digest.
bool IsEncodedDigest(std::string_view text);

// Returns the length of padded base64 for `bytes` bytes.
constexpr std::size_t Base64Size(std::size_t bytes) {
  return (bytes + 2) / 3 * 4;
}

// Encodes with the standard alphabet and with padding.
std::string EncodeBase64(std::span<const std::uint8_t> bytes);

// Decodes canonical padded base64: no whitespace, no missing padding, unused bits zero.
Result<std::vector<std::uint8_t>> DecodeBase64(std::string_view text);

// The same for secret bytes, which are written to `out` only (working copies are wiped). Return the
// number of characters or bytes written; kResourceExhausted when `out` is too small. After a
// decoding error `out` may contain decoded bytes.
Result<std::size_t> EncodeBase64Into(std::span<const std::uint8_t> bytes,
                                     std::span<std::uint8_t> out);
Result<std::size_t> DecodeBase64Into(std::string_view text, std::span<std::uint8_t> out);

// Encodes with the URL-safe alphabet and without padding.
std::string EncodeBase64Url(std::span<const std::uint8_t> bytes);

// Decodes canonical base64url: no padding, unused bits zero.
Result<std::vector<std::uint8_t>> DecodeBase64Url(std::string_view text);

// Parses a decimal from 1 to kMaxInteger without sign or leading zeros.
Result<std::int64_t> ParsePositiveDecimal(std::string_view text);

}  // namespace baokms::contract
