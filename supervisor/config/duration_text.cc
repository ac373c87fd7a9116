#include "supervisor/config/duration_text.h"

#include <array>
#include <cstdint>
#include <limits>

#include "supervisor/config/characters.h"

namespace baokms::supervisor {
namespace {

using Nanos = std::int64_t;

constexpr Nanos kMaxNanos = std::numeric_limits<Nanos>::max();
constexpr Error kBadDuration(ErrorCode::kInvalidArgument, "not a duration");

struct Unit {
  std::string_view name;
  Nanos nanos;
};

// Both micro signs: U+00B5 and the Greek letter U+03BC.
constexpr std::array<Unit, 8> kUnits{{{"ns", 1},
                                      {"us", 1'000},
                                      {"\xc2\xb5s", 1'000},
                                      {"\xce\xbcs", 1'000},
                                      {"ms", 1'000'000},
                                      {"s", 1'000'000'000},
                                      {"m", 60'000'000'000},
                                      {"h", 3'600'000'000'000}}};

std::string_view TakeDigits(std::string_view& text) {
  std::size_t n = 0;
  while (n < text.size() && IsDigit(text[n])) {
    ++n;
  }
  const std::string_view digits = text.substr(0, n);
  text.remove_prefix(n);
  return digits;
}

// Consumes the text up to the next digit or dot, which must be one of the units.
Result<Nanos> TakeUnit(std::string_view& text) {
  std::size_t n = 0;
  while (n < text.size() && !IsDigit(text[n]) && text[n] != '.') {
    ++n;
  }
  const std::string_view name = text.substr(0, n);
  text.remove_prefix(n);
  for (const Unit& unit : kUnits) {
    if (unit.name == name) {
      return unit.nanos;
    }
  }
  return kBadDuration;
}

Result<Nanos> WholePart(std::string_view digits, Nanos unit) {
  Nanos value = 0;
  for (const char c : digits) {
    if (__builtin_mul_overflow(value, Nanos{10}, &value) ||
        __builtin_add_overflow(value, Nanos{c - '0'}, &value)) {
      return kBadDuration;
    }
  }
  if (__builtin_mul_overflow(value, unit, &value)) {
    return kBadDuration;
  }
  return value;
}

// Never returns more than one unit; digits too small to matter are ignored.
Nanos FractionPart(std::string_view digits, Nanos unit) {
  Nanos rest = 0;
  Nanos scale = 1;
  for (const char c : digits) {
    if (scale > kMaxNanos / 10 / unit) {
      break;
    }
    scale *= 10;
    rest = rest * 10 + (c - '0');
  }
  return rest * unit / scale;
}

Result<Nanos> TakeTerm(std::string_view& text) {
  const std::string_view whole = TakeDigits(text);
  std::string_view fraction;
  if (!text.empty() && text.front() == '.') {
    text.remove_prefix(1);
    fraction = TakeDigits(text);
  }
  if (whole.empty() && fraction.empty()) {
    return kBadDuration;
  }
  const Nanos unit = BAOKMS_TRY(TakeUnit(text));
  Nanos value = BAOKMS_TRY(WholePart(whole, unit));
  if (__builtin_add_overflow(value, FractionPart(fraction, unit), &value)) {
    return kBadDuration;
  }
  return value;
}

}  // namespace

Result<std::chrono::nanoseconds> ParseDuration(std::string_view text) {
  bool negative = false;
  if (!text.empty() && (text.front() == '-' || text.front() == '+')) {
    negative = text.front() == '-';
    text.remove_prefix(1);
  }
  if (text == "0") {
    return std::chrono::nanoseconds(0);
  }
  if (text.empty()) {
    return kBadDuration;
  }
  Nanos total = 0;
  while (!text.empty()) {
    const Nanos term = BAOKMS_TRY(TakeTerm(text));
    if (__builtin_add_overflow(total, term, &total)) {
      return kBadDuration;
    }
  }
  return std::chrono::nanoseconds(negative ? -total : total);
}

}  // namespace baokms::supervisor
