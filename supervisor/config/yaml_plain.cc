// Decides which unquoted scalars are not strings: the YAML 1.2 core types in the spellings that
// Go's reader accepts, which adds underscores in numbers, 0-prefixed octals, binary numbers and
// timestamps.

#include <algorithm>
#include <array>
#include <cctype>
#include <string>
#include <string_view>

#include "supervisor/config/characters.h"
#include "supervisor/config/number_text.h"
#include "supervisor/config/yaml_tree.h"

namespace baokms::supervisor {
namespace {

constexpr std::array<std::string_view, 6> kBools{"true", "True", "TRUE", "false", "False", "FALSE"};
constexpr std::array<std::string_view, 5> kNulls{"", "~", "null", "Null", "NULL"};
constexpr std::array<std::string_view, 12> kSpecialFloats{".nan",  ".NaN",  ".NAN",  ".inf",
                                                          ".Inf",  ".INF",  "+.inf", "+.Inf",
                                                          "+.INF", "-.inf", "-.Inf", "-.INF"};

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
  std::size_t at = !text.empty() && (text[0] == '-' || text[0] == '+') ? 1 : 0;
  const std::size_t whole = SkipDigits(text, at) - at;
  at += whole;
  if (at < text.size() && text[at] == '.') {
    const std::size_t fraction = SkipDigits(text, at + 1) - (at + 1);
    if (whole == 0 && fraction == 0) {
      return false;
    }
    at += 1 + fraction;
  } else if (whole == 0) {
    return false;
  }
  if (at < text.size() && (text[at] == 'e' || text[at] == 'E')) {
    ++at;
    at += at < text.size() && (text[at] == '-' || text[at] == '+') ? std::size_t{1} : 0;
    const std::size_t end = SkipDigits(text, at);
    if (end == at) {
      return false;
    }
    at = end;
  }
  return at == text.size();
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
  std::string digits(text);
  digits.erase(std::remove(digits.begin(), digits.end(), '_'), digits.end());
  if (IsWholeNumber(digits)) {
    return PlainType::kInt;
  }
  // Go's reader drops underscores only after a digit or a sign.
  return IsFloat(first == '.' ? text : std::string_view(digits)) ? PlainType::kFloat
                                                                 : PlainType::kString;
}

}  // namespace baokms::supervisor
