// Parses the bodies of OpenBao's responses: pure functions over untrusted text. Of an error body,
// only the presence of two known phrases is kept.

#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "common/base/result.h"
#include "common/openbao/api.h"
#include "common/openbao/outcome.h"

namespace baokms::openbao {

template <typename Value>
struct Answer {
  Value value;
  std::string request_id;  // at most ipc::kMaxRequestId of [A-Za-z0-9-_.:], else empty
};

// Each function fails with kInvalidArgument when the body is not the documented JSON.
Result<Answer<contract::TransitKeyMetadata>> ParseKeyMetadata(std::string_view body);
Result<Answer<UpsertValue>> ParseUpsert(std::string_view body);
Result<Answer<EncryptValue>> ParseEncrypt(std::string_view body);

// The plaintext may be empty; its size() is then 0.
Result<Answer<SecretBuffer>> ParseDecrypt(std::string_view body);

// A login must return a token; a renewal may keep the old one.
Result<Answer<AuthValue>> ParseLogin(std::string_view body);
Result<Answer<AuthValue>> ParseRenewal(std::string_view body);

// Parses an error body; a body that is not strict JSON yields no texts.
Answer<ErrorTexts> ParseErrors(std::string_view body);

// Returns whether every byte is visible ASCII and may be part of an HTTP header value.
[[nodiscard]] bool IsHeaderSafe(std::string_view text);

}  // namespace baokms::openbao
