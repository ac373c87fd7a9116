#include "common/contract/utf8.h"

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

bool IsValidUtf8(std::string_view text) {
  while (!text.empty()) {
    const CodePoint next = DecodeCodePoint(text);
    if (!next.valid) {
      return false;
    }
    text.remove_prefix(next.length);
  }
  return true;
}

}  // namespace baokms::contract
