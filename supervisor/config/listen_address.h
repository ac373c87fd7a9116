// host:port of a listener. No name is ever looked up.

#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "common/base/result.h"

namespace baokms::supervisor {

struct ListenAddress {
  // Without brackets. May be empty: every interface.
  std::string host;
  // 0: the kernel chooses.
  std::uint16_t port{};
};

// Splits "host:port" or "[host]:port".
Result<ListenAddress> ParseListenAddress(std::string_view text);

// Whether both name the same fixed port of the same host: IP addresses are compared as addresses
// (IPv4-in-IPv6 as IPv4), names without case. Wildcards are not compared with what they cover.
bool SameListener(const ListenAddress& a, const ListenAddress& b);

}  // namespace baokms::supervisor
