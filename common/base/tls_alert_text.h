// Names of the TLS alerts, as RFC 8446, section 6.2 spells them. OpenSSL's own table lacks the
// alerts that TLS 1.3 added.

#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <string_view>
#include <utility>

namespace baokms {

inline constexpr auto kTlsAlertTexts = std::to_array<std::pair<std::uint32_t, std::string_view>>({
    {10, "unexpected message"},
    {20, "bad record MAC"},
    {22, "record overflow"},
    {40, "handshake failure"},
    {42, "bad certificate"},
    {43, "unsupported certificate"},
    {44, "certificate revoked"},
    {45, "certificate expired"},
    {46, "certificate unknown"},
    {47, "illegal parameter"},
    {48, "unknown CA"},
    {49, "access denied"},
    {50, "decode error"},
    {51, "decrypt error"},
    {70, "protocol version"},
    {71, "insufficient security"},
    {80, "internal error"},
    {86, "inappropriate fallback"},
    {109, "missing extension"},
    {110, "unsupported extension"},
    {112, "unrecognized name"},
    {113, "bad certificate status response"},
    {115, "unknown PSK identity"},
    {116, "certificate required"},
    {120, "no application protocol"},
});

// Returns "certificate required" for 116, and "unknown alert" for an unassigned number.
constexpr std::string_view TlsAlertText(std::uint32_t alert) {
  const auto* found =
      std::ranges::find(kTlsAlertTexts, alert, &std::pair<std::uint32_t, std::string_view>::first);
  return found == kTlsAlertTexts.end() ? "unknown alert" : found->second;
}

}  // namespace baokms
