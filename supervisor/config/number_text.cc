#include "supervisor/config/number_text.h"

#include <algorithm>
#include <charconv>
#include <limits>
#include <string>

namespace baokms::supervisor {
namespace {

struct Digits {
  bool negative = false;
  int base = 10;
  std::string_view text;
};

// Splits off sign and base prefix. The remaining digits may still be invalid.
Digits SplitPrefix(std::string_view text) {
  Digits digits;
  if (!text.empty() && (text[0] == '-' || text[0] == '+')) {
    digits.negative = text[0] == '-';
    text.remove_prefix(1);
  }
  digits.text = text;
  if (text.size() < 2 || text[0] != '0') {
    return digits;
  }
  std::size_t prefix = 2;
  switch (text[1]) {
    case 'x':
    case 'X':
      digits.base = 16;
      break;
    case 'o':
    case 'O':
      digits.base = 8;
      break;
    case 'b':
    case 'B':
      digits.base = 2;
      break;
    default:
      digits.base = 8;
      prefix = 1;
  }
  digits.text = text.substr(prefix);
  return digits;
}

bool IsDigitOf(char c, int base) {
  if (c >= '0' && c <= '9') {
    return c - '0' < base;
  }
  const int letter = c | 0x20;
  return base == 16 && letter >= 'a' && letter <= 'f';
}

std::optional<std::uint32_t> ParseUnsigned(std::string_view text, int base, std::uint32_t max) {
  std::uint32_t value = 0;
  const char* end = text.data() + text.size();
  const auto result = std::from_chars(text.data(), end, value, base);
  if (text.empty() || result.ec != std::errc() || result.ptr != end || value > max) {
    return std::nullopt;
  }
  return value;
}

}  // namespace

bool IsWholeNumber(std::string_view text) {
  const Digits digits = SplitPrefix(text);
  return !digits.text.empty() && std::all_of(digits.text.begin(), digits.text.end(),
                                             [&](char c) { return IsDigitOf(c, digits.base); });
}

std::optional<std::int64_t> ParseWholeNumber(std::string_view text) {
  if (!IsWholeNumber(text)) {
    return std::nullopt;
  }
  const Digits digits = SplitPrefix(text);
  std::string signed_text(digits.negative ? "-" : "");
  signed_text.append(digits.text);
  std::int64_t value = 0;
  const char* end = signed_text.data() + signed_text.size();
  const auto result = std::from_chars(signed_text.data(), end, value, digits.base);
  if (result.ec != std::errc() || result.ptr != end) {
    return std::nullopt;
  }
  return value;
}

std::optional<std::uint32_t> ParseCanonicalDecimal(std::string_view text, std::uint32_t max) {
  if (text.size() > 1 && text.front() == '0') {
    return std::nullopt;
  }
  return ParseDecimal(text, max);
}

std::optional<std::uint32_t> ParseDecimal(std::string_view text, std::uint32_t max) {
  return ParseUnsigned(text, 10, max);
}

std::optional<std::uint32_t> ParseOctal(std::string_view text, std::uint32_t max) {
  return ParseUnsigned(text, 8, max);
}

}  // namespace baokms::supervisor
