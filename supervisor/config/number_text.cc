#include "supervisor/config/number_text.h"

#include <algorithm>
#include <charconv>
#include <limits>
#include <string>
#include <system_error>

#include <absl/time/time.h>

#include "common/base/error.h"

namespace baokms::supervisor {
namespace {

std::optional<std::uint32_t> ParseUnsigned(std::string_view text, int base, std::uint32_t max) {
  std::uint32_t value = 0;
  const char* end = text.data() + text.size();
  const auto result = std::from_chars(text.data(), end, value, base);
  if (text.empty() || result.ec != std::errc() || result.ptr != end || value > max) {
    return std::nullopt;
  }
  return value;
}

// Removes a base prefix from digits without a sign, and returns the base.
int TakeBase(std::string& digits) {
  if (digits.size() < 2 || digits[0] != '0') {
    return 10;
  }
  const char letter = static_cast<char>(digits[1] | 0x20);
  const bool named = letter == 'x' || letter == 'o' || letter == 'b';
  digits.erase(0, named ? 2 : 1);
  return letter == 'x' ? 16 : (letter == 'b' ? 2 : 8);
}

}  // namespace

std::optional<std::int64_t> ParseWholeNumber(std::string_view text) {
  std::string digits(text);
  std::erase(digits, '_');
  const bool negative = digits.starts_with('-');
  digits.erase(0, negative || digits.starts_with('+') ? 1 : 0);
  const int base = TakeBase(digits);
  if (digits.starts_with('-')) {
    return std::nullopt;
  }
  digits.insert(0, negative ? "-" : "");
  std::int64_t value = 0;
  const char* end = digits.data() + digits.size();
  const auto result = std::from_chars(digits.data(), end, value, base);
  if (result.ec == std::errc::invalid_argument || result.ptr != end) {
    return std::nullopt;
  }
  return result.ec == std::errc() ? value : std::numeric_limits<std::int64_t>::max();
}

std::optional<std::uint32_t> ParseDecimal(std::string_view text, std::uint32_t max) {
  return ParseUnsigned(text, 10, max);
}

std::optional<UserIds> ParseUserIds(std::string_view text) {
  constexpr std::uint32_t kMaxId = std::numeric_limits<std::uint32_t>::max() - 1;
  const std::size_t colon = std::min(text.find(':'), text.size());
  const auto uid = ParseDecimal(text.substr(0, colon), kMaxId);
  const auto gid = ParseDecimal(text.substr(std::min(colon + 1, text.size())), kMaxId);
  return uid && gid ? std::optional(UserIds{.uid = *uid, .gid = *gid}) : std::nullopt;
}

std::optional<std::uint32_t> ParseOctal(std::string_view text, std::uint32_t max) {
  return ParseUnsigned(text, 8, max);
}

Result<std::chrono::nanoseconds> ParseDuration(std::string_view text) {
  std::string ascii(text);
  // Both micro signs: U+00B5 and the Greek letter U+03BC.
  for (const std::string_view micro : {"\xc2\xb5", "\xce\xbc"}) {
    for (auto at = ascii.find(micro); at != std::string::npos; at = ascii.find(micro)) {
      ascii.replace(at, micro.size(), "u");
    }
  }
  absl::Duration duration;
  const bool parsed = absl::ParseDuration(ascii, &duration);
  const std::int64_t nanoseconds = absl::ToInt64Nanoseconds(duration);
  // The conversion saturates.
  const absl::Duration lost = absl::AbsDuration(duration - absl::Nanoseconds(nanoseconds));
  if (!parsed || lost >= absl::Nanoseconds(1)) {
    return Error(ErrorCode::kInvalidArgument, "not a duration");
  }
  return std::chrono::nanoseconds(nanoseconds);
}

}  // namespace baokms::supervisor
