// Builds the JSON bodies of requests in memory that is wiped.

#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "common/base/result.h"
#include "common/openbao/http_limits.h"
#include "common/openbao/wiped_buffer.h"

namespace baokms::openbao {

// Each function fails with kInvalidArgument when a guard of docs/contract.md#requests-to-openbao
// fails, a text is not UTF-8, or a field exceeds its maximum in http_limits.h.

// {"plaintext":B64,"associated_data":...,"key_version":N}
Result<WipedBuffer> BuildEncrypt(std::int64_t key_version,
                                 std::span<const std::uint8_t> plaintext,
                                 std::string_view aad_base64);

// {"ciphertext":...,"associated_data":...}
Result<WipedBuffer> BuildDecrypt(std::string_view ciphertext, std::string_view aad_base64);

// A text in an object. It must outlive the call only.
struct BodyMember {
  std::string_view name;
  std::string_view text;
  std::size_t max_bytes = kMaxRequestFieldBytes;
};

// {"<name>":"<text>",...} in the given order; {} without members. No text may be empty.
Result<WipedBuffer> BuildObject(std::span<const BodyMember> members);

// {"increment":"<seconds>s"}
Result<WipedBuffer> BuildRenewal(std::int64_t increment_seconds);

// Percent-encodes a path, except '/' and the unreserved characters of RFC 3986.
std::string EncodePath(std::string_view path);

// Appends `text` encoded as application/x-www-form-urlencoded.
void AppendFormEncoded(WipedBuffer& out, std::string_view text);

}  // namespace baokms::openbao
