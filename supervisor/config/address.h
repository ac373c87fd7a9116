// Addresses as the configuration writes them: URLs and host:port pairs. No name is ever looked up.

#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "common/base/result.h"

namespace baokms::supervisor {

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

// "spiffe://domain/path". Answers with the domain.
Result<std::string> ParseSpiffeId(std::string_view text);

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
