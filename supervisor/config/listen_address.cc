#include "supervisor/config/listen_address.h"

#include <arpa/inet.h>

#include <algorithm>
#include <cstddef>

#include "common/setup/require.h"
#include "common/setup/value_rules.h"
#include "supervisor/config/number_text.h"
#include "supervisor/config/text_rules.h"

namespace baokms::supervisor {
namespace {

constexpr std::uint32_t kMaxPort = 65535;

}  // namespace

std::optional<IpBytes> ParseIp(std::string_view text) {
  const std::string copy(text);
  IpBytes bytes{};
  if (::inet_pton(AF_INET6, copy.c_str(), bytes.data()) == 1) {
    return bytes;
  }
  bytes = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
  if (::inet_pton(AF_INET, copy.c_str(), bytes.data() + 12) == 1) {
    return bytes;
  }
  return std::nullopt;
}

bool IsIpv4(const IpBytes& ip) {
  constexpr IpBytes kMapped = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
  return std::equal(ip.begin(), ip.begin() + 12, kMapped.begin());
}

bool IsLoopback(std::string_view host) {
  constexpr IpBytes kSix = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1};
  const auto ip = ParseIp(host);
  return host == kLocalhost || (ip && (IsIpv4(*ip) ? (*ip)[12] == 127 : *ip == kSix));
}

Result<ListenAddress> ParseListenAddress(std::string_view text) {
  ListenAddress address;
  const std::size_t colon = text.rfind(':');
  if (colon == std::string_view::npos || !setup::CheckNoControl(text) ||
      text.find(' ') != text.npos) {
    return setup::Invalid("must have the form host:port");
  }
  std::string_view host = text.substr(0, colon);
  if (host.starts_with('[') && host.ends_with(']')) {
    host = host.substr(1, host.size() - 2);
  } else if (host.find(':') != std::string_view::npos) {
    return setup::Invalid("must have the form host:port, an IPv6 host in brackets");
  }
  if (host.find_first_of("[]") != std::string_view::npos) {
    return setup::Invalid("must have the form host:port");
  }
  if (EqualsIgnoringAsciiCase(host, kLocalhost)) {
    host = kLocalhost;
  } else if (!host.empty() && !setup::CheckServerName(host)) {
    return setup::Invalid("must have an IP address, a host name or nothing before the port");
  }
  const auto port = ParseDecimal(text.substr(colon + 1), kMaxPort);
  if (!port) {
    return setup::Invalid("must have a port from 0 to 65535");
  }
  address.host = std::string(host);
  address.port = static_cast<std::uint16_t>(*port);
  return address;
}

bool SameListener(const ListenAddress& a, const ListenAddress& b) {
  if (a.port != b.port || a.port == 0) {
    return false;
  }
  const auto ip = ParseIp(a.host);
  return ip ? ip == ParseIp(b.host) : a.host == b.host;
}

}  // namespace baokms::supervisor
