// Finds the HTTP proxy that the environment names for an https host, by the rules of Go's net/http,
// which the predecessor of this program uses: HTTPS_PROXY and NO_PROXY, in upper or lower case.
// OpenBao is never reached through a proxy.

#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "common/setup/url.h"
#include "supervisor/config/load.h"

namespace baokms::supervisor {

struct ProxyAddress {
  std::string host;  // an IPv6 address without brackets
  std::uint16_t port = 0;
};

// If both members are empty, connect directly.
struct ProxyChoice {
  std::optional<ProxyAddress> proxy{};
  // Why the configured proxy cannot be used. Contains no part of its URL, which may have a
  // password.
  std::optional<std::string> refusal{};
};

// Returns the proxy for the target. localhost and loopback addresses are always reached directly.
// Only proxies of the form http://host[:port] are supported: no TLS to the proxy, no SOCKS, no user
// info.
ProxyChoice FindProxy(const Environment& environment, const setup::HttpsAddress& target);

// Returns whether `no_proxy` (the value of NO_PROXY) covers the target: names and their subdomains,
// addresses, networks in CIDR notation, each with an optional port, or "*".
[[nodiscard]] bool IsExempt(std::string_view no_proxy, const setup::HttpsAddress& target);

}  // namespace baokms::supervisor
