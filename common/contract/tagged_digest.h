// A SHA-256 digest in its written form: a five-character prefix that names what was hashed, then 43
// characters of base64url. Each prefix has its own type, so one digest cannot be used in place of
// another.

#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <string_view>

#include "common/base/result.h"
#include "common/contract/encoding.h"

namespace baokms::contract {

inline constexpr std::size_t kDigestPrefixBytes = 5;
inline constexpr std::size_t kTaggedDigestBytes = kDigestPrefixBytes + kEncodedDigestBytes;

// `Tag` defines kPrefix (5 characters) and kMalformed (the error text of Parse()).
template <typename Tag>
class TaggedDigest {
 public:
  static_assert(Tag::kPrefix.size() == kDigestPrefixBytes);

  static TaggedDigest FromDigest(const Sha256Digest& digest) {
    TaggedDigest made;
    const auto rest = std::ranges::copy(Tag::kPrefix, made.text_.begin()).out;
    std::ranges::copy(EncodeBase64Url(digest), rest);
    return made;
  }

  // Accepts exactly the 48 characters that FromDigest() can produce.
  static Result<TaggedDigest> Parse(std::string_view text) {
    if (text.size() != kTaggedDigestBytes || !text.starts_with(Tag::kPrefix) ||
        !IsEncodedDigest(text.substr(kDigestPrefixBytes))) {
      return Error(ErrorCode::kInvalidArgument, Tag::kMalformed);
    }
    TaggedDigest parsed;
    std::ranges::copy(text, parsed.text_.begin());
    return parsed;
  }

  // Returns the text, which is valid as long as this object is.
  [[nodiscard]] std::string_view text() const { return {text_.data(), text_.size()}; }

  friend bool operator==(const TaggedDigest& a, const TaggedDigest& b) {
    return a.text_ == b.text_;
  }

  friend bool operator<(const TaggedDigest& a, const TaggedDigest& b) {
    return a.text() < b.text();
  }

 private:
  TaggedDigest() = default;

  std::array<char, kTaggedDigestBytes> text_{};
};

}  // namespace baokms::contract
