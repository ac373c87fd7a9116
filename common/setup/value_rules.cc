#include "common/setup/value_rules.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#include <algorithm>
#include <cstddef>
#include <string>

#include "common/contract/identity.h"
#include "common/contract/limits.h"
#include "common/setup/limits.h"
#include "common/setup/require.h"

namespace baokms::setup {
namespace {

constexpr Literal kServerNameRule =
    "must be a host name such as bao.example, or an IP address: without scheme, port, brackets, "
    "wildcard and white space";

constexpr Literal kHostRule =
    "must have a host name such as bao.example or an IP address, an IPv6 address in brackets";

bool IsDigit(char c) {
  return c >= '0' && c <= '9';
}

bool IsHostCharacter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || IsDigit(c) || c == '-' || c == '_';
}

bool IsIp(int family, std::string_view text) {
  in6_addr address{};
  return text.find('\0') == std::string_view::npos &&
         ::inet_pton(family, std::string(text).c_str(), &address) == 1;
}

// Returns whether inet_aton(3), and therefore the resolver, reads the text as an IPv4 address,
// which includes "127.1" and "0x7f000001".
bool IsNumericIpv4(std::string_view text) {
  in_addr address{};
  return std::ranges::all_of(text, [](char c) { return IsHostCharacter(c) || c == '.'; }) &&
         ::inet_aton(std::string(text).c_str(), &address) == 1;
}

bool IsLabel(std::string_view label) {
  return !label.empty() && label.size() <= kMaxHostLabel &&
         std::ranges::all_of(label, IsHostCharacter);
}

// Returns whether the URL standard and libcurl would read the label as (part of) an IPv4 address:
// digits, or 0x and more.
bool LooksLikeNumber(std::string_view label) {
  return std::ranges::all_of(label, IsDigit) || label.starts_with("0x") || label.starts_with("0X");
}

// Checks labels joined by dots; a trailing dot is allowed, and the last label must not be a number.
bool IsDnsName(std::string_view name) {
  if (name.size() > kMaxHostName) {
    return false;
  }
  if (name.ends_with('.')) {
    name.remove_suffix(1);
  }
  while (true) {
    const std::size_t dot = name.find('.');
    const std::string_view label = name.substr(0, dot);
    if (!IsLabel(label)) {
      return false;
    }
    if (dot == std::string_view::npos) {
      return !LooksLikeNumber(label);
    }
    name.remove_prefix(dot + 1);
  }
}

bool HasControl(std::string_view text) {
  return std::ranges::any_of(
      text, [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; });
}

// Returns the most specific error for a text that must be an identifier.
Status CheckLine(std::string_view text) {
  BAOKMS_TRY(Require(text.find_first_of(std::string_view("\0\r\n\t", 4)) == std::string_view::npos,
                     "must not contain NUL, CR, LF or TAB"));
  return Require(text.size() <= contract::kMaxIdentityFieldBytes,
                 "must not be longer than 1024 bytes");
}

}  // namespace

Status CheckIdentifier(std::string_view text) {
  BAOKMS_TRY(CheckLine(text));
  return Require(contract::IsIdentifier(text), "must not begin or end with white space");
}

Status CheckMountPath(std::string_view text) {
  BAOKMS_TRY(CheckIdentifier(text));
  return Require(contract::IsMountPath(text),
                 "must be a path without a slash at either end, without empty, \".\" or \"..\" "
                 "parts and without control characters");
}

Status CheckNamespace(std::string_view text) {
  BAOKMS_TRY(Require(text.find('%') == std::string_view::npos, "must not contain \"%\""));
  BAOKMS_TRY(CheckIdentifier(text));
  return Require(!text.empty() && contract::IsNamespacePath(text) && !HasControl(text),
                 "must be a path without a slash at either end, without empty, \".\" or \"..\" "
                 "parts and without control characters");
}

Status CheckKeyName(std::string_view text) {
  return Require(contract::IsTransitKeyName(text),
                 "must consist of letters, digits, \"_\", \".\" and \"-\", and must not begin or "
                 "end with \".\" or \"-\"");
}

Status CheckServerName(std::string_view text) {
  return Require(IsIp(AF_INET, text) || IsIp(AF_INET6, text) || IsDnsName(text), kServerNameRule);
}

Status CheckHost(std::string_view host) {
  return Require(IsDnsName(host) || IsNumericIpv4(host) || IsIp(AF_INET6, host), kHostRule);
}

Status CheckPathPrefix(std::string_view prefix) {
  const bool visible = std::ranges::all_of(prefix, [](char c) { return c > ' ' && c < '\x7f'; });
  return Require(prefix.empty() || (prefix.front() == '/' && visible),
                 "must have a path of visible ASCII characters that begins with a slash");
}

Status CheckAbsolutePath(std::string_view text) {
  BAOKMS_TRY(Require(text.starts_with('/'), "must be an absolute path"));
  return Require(text.find_first_of(std::string_view("\0\r\n\t", 4)) == std::string_view::npos,
                 "must not contain NUL, CR, LF or TAB");
}

Status CheckTokenLabel(std::string_view text) {
  BAOKMS_TRY(CheckIdentifier(text));
  return Require(text.size() <= kMaxTokenLabel,
                 "must not be longer than 32 bytes, which is what a PKCS #11 token holds");
}

Status CheckNoControl(std::string_view text) {
  return Require(!HasControl(text), "must not contain control characters");
}

Status CheckScope(std::string_view text) {
  const bool ok = std::ranges::all_of(
      text, [](char c) { return c >= 0x21 && c <= 0x7e && c != '"' && c != '\\'; });
  return Require(!text.empty() && ok,
                 "must be one scope: visible ASCII characters without quotation marks and "
                 "backslashes");
}

}  // namespace baokms::setup
