// Locale-independent classes of ASCII characters.

#pragma once

namespace baokms::supervisor {

constexpr bool IsDigit(char c) {
  return c >= '0' && c <= '9';
}

constexpr bool IsAlpha(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

}  // namespace baokms::supervisor
