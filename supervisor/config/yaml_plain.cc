// Decides which unquoted scalars are not strings: the YAML 1.2 core types in the spellings that
// Go's reader accepts, which adds underscores in numbers, 0-prefixed octals, binary numbers and
// timestamps.

#include <algorithm>
#include <array>
#include <charconv>
#include <string>
#include <string_view>
#include <system_error>

#include "supervisor/config/number_text.h"
#include "supervisor/config/yaml_tree.h"

namespace baokms::supervisor {
namespace {

constexpr std::array<std::string_view, 6> kBools{"true", "True", "TRUE", "false", "False", "FALSE"};
constexpr std::array<std::string_view, 5> kNulls{"", "~", "null", "Null", "NULL"};
constexpr std::array<std::string_view, 12> kSpecialFloats{".nan",  ".NaN",  ".NAN",  ".inf",
                                                          ".Inf",  ".INF",  "+.inf", "+.Inf",
                                                          "+.INF", "-.inf", "-.Inf", "-.INF"};

bool IsDigit(char c) {
  return c >= '0' && c <= '9';
}

template <std::size_t N>
bool OneOf(const std::array<std::string_view, N>& list, std::string_view text) {
  return std::find(list.begin(), list.end(), text) != list.end();
}

std::size_t SkipDigits(std::string_view text, std::size_t at) {
  while (at < text.size() && IsDigit(text[at])) {
    ++at;
  }
  return at;
}

// [-+]? ( . digits | digits [. digits*] ) [ (e|E) [-+]? digits ]
bool IsFloat(std::string_view text) {
  if (text.find_first_not_of("0123456789.eE+-") != std::string_view::npos) {
    return false;  // from_chars() would accept "inf" and "nan"
  }
  const bool positive = text.starts_with('+');
  text.remove_prefix(positive ? 1 : 0);
  double value = 0;
  const auto result = std::from_chars(text.data(), text.data() + text.size(), value);
  return result.ec != std::errc::invalid_argument && result.ptr == text.data() + text.size() &&
         !(positive && text.starts_with('-'));
}

// Consumes a number of one or two digits in low..high, followed by `after`; advances `at` past it.
bool TakeField(std::string_view text, std::size_t& at, int low, int high) {
  const std::size_t end = std::min(SkipDigits(text, at), at + 2);
  int value = 0;
  for (std::size_t i = at; i < end; ++i) {
    value = value * 10 + (text[i] - '0');
  }
  const bool ok = end > at && value >= low && value <= high;
  at = end;
  return ok;
}

// 2006-1-2, alone or followed by T, t or a space and a time of day.
bool IsTimestamp(std::string_view text) {
  std::size_t at = 4;
  if (text.size() < 8 || SkipDigits(text, 0) != 4 || text[at] != '-' ||
      !TakeField(text, ++at, 1, 12) || at >= text.size() || text[at] != '-' ||
      !TakeField(text, ++at, 1, 31)) {
    return false;
  }
  if (at == text.size()) {
    return true;
  }
  if (text[at] != 'T' && text[at] != 't' && text[at] != ' ') {
    return false;
  }
  return TakeField(text, ++at, 0, 23) && at < text.size() && text[at] == ':';
}

}  // namespace

PlainType ResolvePlain(std::string_view text) {
  if (OneOf(kNulls, text)) {
    return PlainType::kNull;
  }
  if (OneOf(kBools, text)) {
    return PlainType::kBool;
  }
  if (OneOf(kSpecialFloats, text)) {
    return PlainType::kFloat;
  }
  const char first = text.front();
  if (!IsDigit(first) && first != '+' && first != '-' && first != '.') {
    return PlainType::kString;
  }
  if (IsTimestamp(text)) {
    return PlainType::kTimestamp;
  }
  if (ParseWholeNumber(text)) {
    return PlainType::kInt;
  }
  std::string digits(text);
  std::erase(digits, '_');
  // Go's reader drops underscores only after a digit or a sign.
  return IsFloat(first == '.' ? text : std::string_view(digits)) ? PlainType::kFloat
                                                                 : PlainType::kString;
}

}  // namespace baokms::supervisor
