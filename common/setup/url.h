// URLs as the configuration writes them. No name is ever looked up. Errors are the rest of a
// sentence about the key: "must be an https URL".

#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "common/base/result.h"

namespace baokms::setup {

// An https URL taken apart.
struct HttpsAddress {
  // Lower case; an IPv6 address without its brackets.
  std::string host;
  // 443 when the URL names none.
  std::uint16_t port{};
  // Host and port as in the URL ("bao.example:8200", "[::1]:8200").
  std::string authority;
  // Path without a slash at its end; may be empty.
  std::string prefix;
};

// Fails unless the URL is https with a host, and without user info, query and fragment.
Result<HttpsAddress> ParseHttpsAddress(std::string_view text);

// As ParseHttpsAddress(), but a query is allowed and the prefix is left empty. The OAuth 2.0 token
// endpoint.
Result<HttpsAddress> ParseTokenUrl(std::string_view text);

// Fails unless the text is a URI with a scheme and something after it, without user info and
// fragment.
Status CheckAbsoluteUri(std::string_view text);

// "unix:///absolute/path".
Status CheckSpiffeSocket(std::string_view text);

// "spiffe://domain/path". Returns the domain.
Result<std::string> ParseSpiffeId(std::string_view text);

}  // namespace baokms::setup
