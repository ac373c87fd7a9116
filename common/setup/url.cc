#include "common/setup/url.h"

#include <algorithm>
#include <charconv>
#include <optional>

#include "common/setup/require.h"
#include "common/setup/value_rules.h"

namespace baokms::setup {
namespace {

constexpr std::uint16_t kHttpsPort = 443;

std::string Lower(std::string_view text) {
  std::string lower(text);
  for (char& c : lower) {
    c = c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
  }
  return lower;
}

bool IsAlpha(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

// Returns the port if the text is a decimal number from 1 to 65535.
std::optional<std::uint16_t> ParsePort(std::string_view text) {
  std::uint16_t port = 0;
  const char* end = text.data() + text.size();
  const auto result = std::from_chars(text.data(), end, port);
  const bool ok = result.ec == std::errc() && result.ptr == end && port != 0;
  return ok ? std::optional(port) : std::nullopt;
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

// Returns whether the text is visible ASCII; any other character must be percent-encoded in a URL.
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

// Splits host, host:port, [v6] or [v6]:port.
Result<HttpsAddress> SplitAuthority(std::string_view authority) {
  HttpsAddress address;
  address.authority = std::string(authority);
  std::string_view port;
  if (authority.starts_with('[')) {
    const std::size_t close = authority.find(']');
    address.host = Lower(authority.substr(1, close - 1));
    if (close == std::string_view::npos || address.host.find(':') == std::string::npos) {
      return Invalid("must have an IPv6 address between brackets");
    }
    port = authority.substr(close + 1);
  } else {
    address.host = Lower(authority.substr(0, authority.find(':')));
    port = authority.substr(address.host.size());
  }
  BAOKMS_TRY(CheckHost(address.host));
  address.port = kHttpsPort;
  if (!port.empty()) {
    const auto number = ParsePort(port.substr(1));
    if (port[0] != ':' || !number) {
      return Invalid("must have a port from 1 to 65535, or none");
    }
    address.port = *number;
  }
  return address;
}

Status CheckNoUserInfoOrFragment(const UrlParts& parts) {
  BAOKMS_TRY(Require(!parts.has_user_info, "must not contain user info"));
  return Require(!parts.has_fragment, "must not contain a fragment");
}

Result<HttpsAddress> FromParts(const std::optional<UrlParts>& parts) {
  if (!parts || parts->scheme != "https" || !parts->has_authority) {
    return Invalid("must be an https URL");
  }
  BAOKMS_TRY(CheckNoUserInfoOrFragment(*parts));
  return SplitAuthority(parts->authority);
}

}  // namespace

Result<HttpsAddress> ParseHttpsAddress(std::string_view text) {
  const auto parts = SplitUrl(text);
  HttpsAddress address = BAOKMS_TRY(FromParts(parts));
  if (parts->has_query) {
    return Invalid("must not contain a query");
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
  if (!parts || (parts->authority.empty() && parts->path.empty())) {
    return Invalid("must be an absolute URI");
  }
  return CheckNoUserInfoOrFragment(*parts);
}

Status CheckSpiffeSocket(std::string_view text) {
  const auto parts = SplitUrl(text);
  if (!parts || parts->scheme != "unix" || !parts->has_authority || !parts->authority.empty() ||
      parts->path.size() < 2) {
    return Invalid("must have the form unix:///absolute/path");
  }
  return {};
}

Result<std::string> ParseSpiffeId(std::string_view text) {
  const auto parts = SplitUrl(text);
  if (!parts || parts->scheme != "spiffe" || parts->has_user_info || parts->has_query ||
      parts->has_fragment || !CheckHost(parts->authority) || parts->path.size() < 2) {
    return Invalid("must have the form spiffe://domain/path");
  }
  return std::string(parts->authority);
}

}  // namespace baokms::setup
