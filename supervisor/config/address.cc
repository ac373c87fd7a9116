#include "supervisor/config/address.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <optional>

#include "supervisor/config/characters.h"
#include "supervisor/config/number_text.h"
#include "supervisor/config/text_rules.h"

namespace baokms::supervisor {
namespace {

constexpr std::uint32_t kMaxPort = 65535;
constexpr std::uint16_t kHttpsPort = 443;

constexpr Error Bad(Literal what) {
  return {ErrorCode::kInvalidArgument, what};
}

std::string Lower(std::string_view text) {
  std::string lower(text);
  for (char& c : lower) {
    c = c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
  }
  return lower;
}

// An IPv6 or IPv4 address in one form: 16 bytes, IPv4 as ::ffff:a.b.c.d.
using AddressBytes = std::array<unsigned char, 16>;

std::optional<AddressBytes> ParseIp(const std::string& text) {
  AddressBytes bytes{};
  if (::inet_pton(AF_INET6, text.c_str(), bytes.data()) == 1) {
    return bytes;
  }
  in_addr v4{};
  if (::inet_pton(AF_INET, text.c_str(), &v4) != 1) {
    return std::nullopt;
  }
  bytes[10] = 0xff;
  bytes[11] = 0xff;
  std::memcpy(bytes.data() + 12, &v4, sizeof(v4));
  return bytes;
}

bool IsHostName(std::string_view host) {
  return !host.empty() && host.size() <= 253 && std::all_of(host.begin(), host.end(), [](char c) {
    return IsAlpha(c) || IsDigit(c) || c == '.' || c == '-' || c == '_';
  });
}

struct UrlParts {
  std::string scheme;
  bool has_authority = false;
  bool has_user_info = false;
  bool has_query = false;
  bool has_fragment = false;
  std::string_view authority;
  std::string_view path;
};

// Visible ASCII only: anything else has to be percent-encoded in a URL.
bool IsUrlText(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return c > 0x20 && c < 0x7f; }) &&
         text.find_first_of("\"<>\\^`{|}") == std::string_view::npos;
}

std::optional<UrlParts> SplitUrl(std::string_view text) {
  const std::size_t colon = text.find(':');
  if (!IsUrlText(text) || colon == 0 || colon == std::string_view::npos || !IsAlpha(text[0]) ||
      text.find_first_of("/?#") < colon) {
    return std::nullopt;
  }
  UrlParts parts;
  parts.scheme = Lower(text.substr(0, colon));
  std::string_view rest = text.substr(colon + 1);
  if (const std::size_t hash = rest.find('#'); hash != std::string_view::npos) {
    parts.has_fragment = true;
    rest = rest.substr(0, hash);
  }
  if (const std::size_t query = rest.find('?'); query != std::string_view::npos) {
    parts.has_query = true;
    rest = rest.substr(0, query);
  }
  if (rest.starts_with("//")) {
    rest.remove_prefix(2);
    parts.has_authority = true;
    parts.authority = rest.substr(0, rest.find('/'));
    rest.remove_prefix(parts.authority.size());
    parts.has_user_info = parts.authority.find('@') != std::string_view::npos;
  }
  parts.path = rest;
  return parts;
}

// host, host:port, [v6], [v6]:port.
Result<HttpsAddress> SplitAuthority(std::string_view authority) {
  HttpsAddress address;
  address.authority = std::string(authority);
  std::string_view port;
  if (authority.starts_with('[')) {
    const std::size_t close = authority.find(']');
    if (close == std::string_view::npos) {
      return Bad("must have a valid host");
    }
    address.host = Lower(authority.substr(1, close - 1));
    in6_addr v6{};
    if (::inet_pton(AF_INET6, address.host.c_str(), &v6) != 1) {
      return Bad("must have a valid host");
    }
    port = authority.substr(close + 1);
  } else {
    address.host = Lower(authority.substr(0, authority.find(':')));
    port = authority.substr(address.host.size());
    if (!IsHostName(address.host)) {
      return Bad("must have a valid host");
    }
  }
  address.port = kHttpsPort;
  if (!port.empty()) {
    const auto number = ParseDecimal(port.substr(1), kMaxPort);
    if (port[0] != ':' || number.value_or(0) == 0) {
      return Bad("must have a port from 1 to 65535, or none");
    }
    address.port = static_cast<std::uint16_t>(*number);
  }
  return address;
}

Result<HttpsAddress> FromParts(const std::optional<UrlParts>& parts) {
  if (!parts.has_value() || parts->scheme != "https" || !parts->has_authority) {
    return Bad("must be an https URL");
  }
  if (parts->has_user_info) {
    return Bad("must not hold user info");
  }
  if (parts->has_fragment) {
    return Bad("must not hold a fragment");
  }
  return SplitAuthority(parts->authority);
}

}  // namespace

Result<HttpsAddress> ParseHttpsAddress(std::string_view text) {
  const auto parts = SplitUrl(text);
  HttpsAddress address = BAOKMS_TRY(FromParts(parts));
  if (parts->has_query) {
    return Bad("must not hold a query");
  }
  std::string_view prefix = parts->path;
  while (prefix.ends_with('/')) {
    prefix.remove_suffix(1);
  }
  address.prefix = std::string(prefix);
  return address;
}

Result<HttpsAddress> ParseTokenUrl(std::string_view text) {
  return FromParts(SplitUrl(text));
}

Status CheckAbsoluteUri(std::string_view text) {
  const auto parts = SplitUrl(text);
  if (!parts.has_value() || (parts->authority.empty() && parts->path.empty())) {
    return Bad("must be an absolute URI");
  }
  if (parts->has_user_info) {
    return Bad("must not hold user info");
  }
  if (parts->has_fragment) {
    return Bad("must not hold a fragment");
  }
  return {};
}

Status CheckSpiffeSocket(std::string_view text) {
  const auto parts = SplitUrl(text);
  if (!parts.has_value() || parts->scheme != "unix" || !parts->has_authority ||
      !parts->authority.empty() || parts->path.size() < 2) {
    return Bad("must have the form unix:///absolute/path");
  }
  return {};
}

Result<std::string> ParseSpiffeId(std::string_view text) {
  const auto parts = SplitUrl(text);
  if (!parts.has_value() || parts->scheme != "spiffe" || parts->has_user_info || parts->has_query ||
      parts->has_fragment || !IsHostName(parts->authority) || parts->path.size() < 2) {
    return Bad("must have the form spiffe://domain/path");
  }
  return std::string(parts->authority);
}

Result<ListenAddress> ParseListenAddress(std::string_view text) {
  ListenAddress address;
  const std::size_t colon = text.rfind(':');
  if (colon == std::string_view::npos || HasControl(text) || text.find(' ') != text.npos) {
    return Bad("must have the form host:port");
  }
  std::string_view host = text.substr(0, colon);
  if (host.starts_with('[') && host.ends_with(']')) {
    host = host.substr(1, host.size() - 2);
  } else if (host.find(':') != std::string_view::npos) {
    return Bad("must have the form host:port, an IPv6 host in brackets");
  }
  if (host.find_first_of("[]") != std::string_view::npos) {
    return Bad("must have the form host:port");
  }
  const auto port = ParseDecimal(text.substr(colon + 1), kMaxPort);
  if (!port.has_value()) {
    return Bad("must have a port from 0 to 65535");
  }
  address.host = std::string(host);
  address.port = static_cast<std::uint16_t>(*port);
  return address;
}

bool SameListener(const ListenAddress& a, const ListenAddress& b) {
  if (a.port != b.port || a.port == 0) {
    return false;
  }
  const auto a_ip = ParseIp(a.host);
  const auto b_ip = ParseIp(b.host);
  if (a_ip.has_value() && b_ip.has_value()) {
    return *a_ip == *b_ip;
  }
  return EqualsIgnoringAsciiCase(a.host, b.host);
}

}  // namespace baokms::supervisor
