// Which HTTP proxy the environment names for an https host, by the rules of Go's net/http, which
// the predecessor of this program uses: HTTPS_PROXY and NO_PROXY, in upper or lower case. OpenBao
// is never reached through a proxy.

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

// Neither: connect directly.
struct ProxyChoice {
  std::optional<ProxyAddress> proxy{};
  // Why the proxy that is named cannot be used. Holds no part of its URL: that may have a password.
  std::optional<std::string> refusal{};
};

// localhost and loopback addresses are always reached directly. Only proxies of the form
// http://host[:port] are supported: no TLS to the proxy, no SOCKS, no user info.
ProxyChoice FindProxy(const Environment& environment, const setup::HttpsAddress& target);

// Whether `no_proxy` (NO_PROXY's value) names the target: names and their subdomains, addresses,
// networks in CIDR form, each with an optional port, or "*".
[[nodiscard]] bool IsExempt(std::string_view no_proxy, const setup::HttpsAddress& target);

}  // namespace baokms::supervisor
