// Reads a few members out of one JSON answer of OpenBao without building a tree of it. Strict: one
// object, exact names, no name twice at any depth, integers only where integers are expected,
// canonical base64. Members that nobody asked for are checked and skipped.

#pragma once

#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "common/base/secret_buffer.h"
#include "common/contract/key_id.h"

namespace baokms::openbao {

// `data.keys` of the metadata: an object of version -> creation second.
using VersionMap = std::vector<contract::KeyVersion>;

// A secret as it stands in the answer. Empty text leaves the buffer empty.
struct SecretText {
  SecretBuffer* target;
};

// A secret in base64. Empty text leaves the buffer empty.
struct SecretBase64 {
  SecretBuffer* target;
};

// Texts of which only the presence of known phrases is kept.
struct ErrorTexts {
  bool sealed = false;                 // some text contains "sealed"
  bool authentication_failed = false;  // some text contains "message authentication failed"
};

enum class Presence : std::uint8_t { kRequired, kOptional };

// One member that is wanted. An optional member may be absent or null, and its target then keeps
// its value; any other type than the target's is an error. Targets must outlive ReadFields().
struct JsonField {
  using Target = std::variant<std::string*,
                              std::int64_t*,
                              std::optional<std::int64_t>*,
                              bool*,
                              VersionMap*,
                              SecretText,
                              SecretBase64,
                              ErrorTexts*>;

  std::string_view section;  // "" for a member of the document itself, else "data" or "auth"
  std::string_view name;
  Target target;
  Presence presence = Presence::kRequired;
};

// False when `body` is not such a document or a required member is missing; the targets are then
// in no particular state. `request_id` (member of the document) is read by JsonField like others.
[[nodiscard]] bool ReadFields(std::string_view body, std::initializer_list<JsonField> fields);

}  // namespace baokms::openbao
