// UTF-8 as the Unicode standard defines it: no overlong forms, no surrogates, nothing above
// U+10FFFF. Independent of the locale.

#pragma once

#include <cstddef>
#include <optional>
#include <string_view>

namespace baokms::contract {

struct CodePoint {
  char32_t value;
  std::size_t length;  // bytes consumed, at least 1
  bool valid;          // false: `value` is U+FFFD and `length` is 1
};

// Decodes the first code point of `text`, which must not be empty. An invalid byte is consumed
// alone, so the next call continues with the byte after it.
CodePoint DecodeCodePoint(std::string_view text);

// Returns the offset of the first byte that is not part of valid UTF-8.
std::optional<std::size_t> FindInvalidUtf8(std::string_view text);

bool IsValidUtf8(std::string_view text);

// Returns valid UTF-8 without white space at both ends: the characters with Unicode's White_Space
// property, which is what Go trims.
std::string_view TrimSpace(std::string_view text);

}  // namespace baokms::contract
