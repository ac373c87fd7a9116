#include "common/contract/utf8.h"

#include <algorithm>
#include <cstdint>

namespace baokms::contract {
namespace {

constexpr CodePoint kInvalid{0xFFFD, 1, false};

struct Lead {
  std::size_t length;  // of the whole sequence; 0 when no sequence starts with this byte
  char32_t bits;       // the bits of the first byte
  char32_t smallest;   // smaller values are overlong forms
};

Lead ClassifyLead(std::uint8_t byte) {
  if ((byte & 0xE0U) == 0xC0U) {
    return {2, byte & 0x1FU, 0x80};
  }
  if ((byte & 0xF0U) == 0xE0U) {
    return {3, byte & 0x0FU, 0x800};
  }
  if ((byte & 0xF8U) == 0xF0U) {
    return {4, byte & 0x07U, 0x10000};
  }
  return {0, 0, 0};
}

// Unicode's White_Space property.
bool IsSpace(char32_t c) {
  return (c >= 0x09 && c <= 0x0D) || c == 0x20 || c == 0x85 || c == 0xA0 || c == 0x1680 ||
         (c >= 0x2000 && c <= 0x200A) || c == 0x2028 || c == 0x2029 || c == 0x202F || c == 0x205F ||
         c == 0x3000;
}

}  // namespace

CodePoint DecodeCodePoint(std::string_view text) {
  const auto first = static_cast<std::uint8_t>(text.front());
  if (first < 0x80) {
    return {first, 1, true};
  }
  const Lead lead = ClassifyLead(first);
  if (lead.length == 0 || text.size() < lead.length) {
    return kInvalid;
  }
  char32_t value = lead.bits;
  for (const char next : text.substr(1, lead.length - 1)) {
    const auto byte = static_cast<std::uint8_t>(next);
    if ((byte & 0xC0U) != 0x80U) {
      return kInvalid;
    }
    value = (value << 6U) | (byte & 0x3FU);
  }
  const bool surrogate = value >= 0xD800 && value <= 0xDFFF;
  if (value < lead.smallest || value > 0x10FFFF || surrogate) {
    return kInvalid;
  }
  return {value, lead.length, true};
}

std::optional<std::size_t> FindInvalidUtf8(std::string_view text) {
  for (std::size_t at = 0; at < text.size();) {
    const CodePoint next = DecodeCodePoint(text.substr(at));
    if (!next.valid) {
      return at;
    }
    at += next.length;
  }
  return std::nullopt;
}

bool IsValidUtf8(std::string_view text) {
  return !FindInvalidUtf8(text).has_value();
}

std::string_view TrimSpace(std::string_view text) {
  std::size_t begin = text.size();
  std::size_t end = 0;
  for (std::size_t at = 0; at < text.size();) {
    const CodePoint next = DecodeCodePoint(text.substr(at));
    if (!IsSpace(next.value)) {
      begin = std::min(begin, at);
      end = at + next.length;
    }
    at += next.length;
  }
  return end == 0 ? std::string_view() : text.substr(begin, end - begin);
}

}  // namespace baokms::contract
