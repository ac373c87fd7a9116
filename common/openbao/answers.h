// Turns the bodies of OpenBao's answers into values: pure functions over untrusted text. The only
// thing kept of an error body is which of two known phrases it contains.

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

// Each fails with kInvalidArgument when the body is not the documented JSON.
Result<Answer<contract::TransitKeyMetadata>> ParseKeyMetadata(std::string_view body);
Result<Answer<UpsertValue>> ParseUpsert(std::string_view body);
Result<Answer<EncryptValue>> ParseEncrypt(std::string_view body);

// The plaintext may be empty: size() is 0 then.
Result<Answer<SecretBuffer>> ParseDecrypt(std::string_view body);

// A login must bring a token, a renewal may keep the old one.
Result<Answer<AuthValue>> ParseLogin(std::string_view body);
Result<Answer<AuthValue>> ParseRenewal(std::string_view body);

// An error body; anything that is not strict JSON has no texts.
Answer<ErrorTexts> ParseErrors(std::string_view body);

// True when every byte may stand in an HTTP header value of ours: visible ASCII.
[[nodiscard]] bool IsHeaderSafe(std::string_view text);

}  // namespace baokms::openbao
