#include "supervisor/config/text_rules.h"

#include <algorithm>
#include <array>

#include "common/contract/utf8.h"

namespace baokms::supervisor {
namespace {

constexpr std::size_t kPrintableLimit = 64;

// All characters with Unicode's White_Space property, in UTF-8.
constexpr std::array<std::string_view, 25> kSpaces{
    "\t",           "\n",           "\v",           "\f",           "\r",           " ",
    "\xc2\x85",     "\xc2\xa0",     "\xe1\x9a\x80", "\xe2\x80\x80", "\xe2\x80\x81", "\xe2\x80\x82",
    "\xe2\x80\x83", "\xe2\x80\x84", "\xe2\x80\x85", "\xe2\x80\x86", "\xe2\x80\x87", "\xe2\x80\x88",
    "\xe2\x80\x89", "\xe2\x80\x8a", "\xe2\x80\xa8", "\xe2\x80\xa9", "\xe2\x80\xaf", "\xe2\x81\x9f",
    "\xe3\x80\x80"};

}  // namespace

std::optional<std::size_t> FindInvalidUtf8(std::string_view text) {
  std::size_t at = 0;
  while (at < text.size()) {
    const contract::CodePoint point = contract::DecodeCodePoint(text.substr(at));
    if (!point.valid) {
      return at;
    }
    at += point.length;
  }
  return std::nullopt;
}

std::string_view TrimSpace(std::string_view text) {
  const auto space_at_front = [&](std::string_view space) {
    return text.starts_with(space);
  };
  const auto space_at_back = [&](std::string_view space) {
    return text.ends_with(space);
  };
  for (const auto* it = std::find_if(kSpaces.begin(), kSpaces.end(), space_at_front);
       it != kSpaces.end(); it = std::find_if(kSpaces.begin(), kSpaces.end(), space_at_front)) {
    text.remove_prefix(it->size());
  }
  for (const auto* it = std::find_if(kSpaces.begin(), kSpaces.end(), space_at_back);
       it != kSpaces.end(); it = std::find_if(kSpaces.begin(), kSpaces.end(), space_at_back)) {
    text.remove_suffix(it->size());
  }
  return text;
}

bool IsBlank(std::string_view text) {
  return TrimSpace(text).empty();
}

bool EqualsIgnoringAsciiCase(std::string_view a, std::string_view b) {
  const auto lower = [](char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
  };
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [&](char x, char y) { return lower(x) == lower(y); });
}

std::string Printable(std::string_view text) {
  const bool cut = text.size() > kPrintableLimit;
  std::string result(text.substr(0, kPrintableLimit));
  std::replace_if(
      result.begin(), result.end(), [](char c) { return c < 0x20 || c > 0x7e; }, '?');
  return cut ? result + "..." : result;
}

}  // namespace baokms::supervisor
