// Builds the JSON bodies of requests in memory that is wiped.

#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "common/base/result.h"
#include "common/base/secret_buffer.h"
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

// {"role":...,"jwt":...}
Result<WipedBuffer> BuildJwtLogin(std::string_view role, const SecretBuffer& jwt);

// {"name"}, or {} for an empty name
Result<WipedBuffer> BuildCertLogin(std::string_view name);

// {"increment":"<seconds>s"}
Result<WipedBuffer> BuildRenewal(std::int64_t increment_seconds);

// Percent-encodes a path, except '/' and the unreserved characters of RFC 3986.
std::string EncodePath(std::string_view path);

}  // namespace baokms::openbao
