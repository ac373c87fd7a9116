// IP addresses, and host:port of a listener. Never looks up a name.

#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "common/base/result.h"

namespace baokms::supervisor {

// An IPv4 or IPv6 address in one form: 16 bytes in network order, IPv4 as ::ffff:a.b.c.d.
using IpBytes = std::array<std::uint8_t, 16>;

std::optional<IpBytes> ParseIp(std::string_view text);

// Returns whether the address is an IPv4 one.
bool IsIpv4(const IpBytes& ip);

inline constexpr std::string_view kLocalhost = "localhost";

// Returns whether the host is kLocalhost or a loopback address, which only this machine reaches.
bool IsLoopback(std::string_view host);

struct ListenAddress {
  // An IP address without brackets, or a DNS name; empty: every interface.
  std::string host;
  // 0: the kernel chooses.
  std::uint16_t port{};
};

// Parses "host:port" or "[host]:port".
Result<ListenAddress> ParseListenAddress(std::string_view text);

// Returns whether both are the same fixed port of the same host: IP addresses are compared as
// addresses (IPv4-in-IPv6 as IPv4). Neither a wildcard nor a name is compared with the addresses
// that it covers.
bool SameListener(const ListenAddress& a, const ListenAddress& b);

}  // namespace baokms::supervisor
