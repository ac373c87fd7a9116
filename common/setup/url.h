// URLs as they appear in the configuration. No host name is resolved. Errors complete a sentence
// about the key: "must be an https URL".

#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "common/base/result.h"

namespace baokms::setup {

// The components of an https URL.
struct HttpsAddress {
  // Lower case; an IPv6 address without its brackets.
  std::string host;
  // 443 when the URL has no port.
  std::uint16_t port{};
  // Host and port as in the URL ("bao.example:8200", "[::1]:8200").
  std::string authority;
  // Path without a trailing slash; may be empty.
  std::string prefix;
};

// Parses a URL. Fails unless it is https with a host and has no user info, query or fragment.
Result<HttpsAddress> ParseHttpsAddress(std::string_view text);

// Parses the OAuth 2.0 token endpoint: like ParseHttpsAddress(), but a query is allowed and the
// prefix stays empty.
Result<HttpsAddress> ParseTokenUrl(std::string_view text);

// Fails unless the text is a URI with a scheme and a non-empty remainder, and has no user info or
// fragment.
Status CheckAbsoluteUri(std::string_view text);

// Checks the form "unix:///absolute/path".
Status CheckSpiffeSocket(std::string_view text);

// Parses "spiffe://domain/path" and returns the domain.
Result<std::string> ParseSpiffeId(std::string_view text);

}  // namespace baokms::setup
