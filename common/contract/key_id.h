// The key_id of KMS v2: a hash of the key's identity and version.

#pragma once

#include <cstdint>
#include <string_view>

#include "common/base/result.h"
#include "common/contract/identity.h"
#include "common/contract/tagged_digest.h"

namespace baokms::contract {

struct KeyIdTag {
  static constexpr std::string_view kPrefix = "obk2.";
  static constexpr Literal kMalformed{"key_id is malformed"};
};

// "obk2." and 43 characters. KeyId::Parse() accepts only values that DeriveKeyId() can produce.
using KeyId = TaggedDigest<KeyIdTag>;

// One version of a Transit key. The creation time is part of it: the same number with another
// creation second is a different key.
struct KeyVersion {
  std::int64_t number = 0;           // from 1
  std::int64_t created_at_unix = 0;  // whole seconds, from 1

  friend bool operator==(const KeyVersion&, const KeyVersion&) = default;
};

// Derives the key_id. Fails when the identity is invalid, or the number or creation time is not
// positive.
Result<KeyId> DeriveKeyId(const KeyIdentity& identity, KeyVersion version);

}  // namespace baokms::contract
