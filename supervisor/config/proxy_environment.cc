#include "supervisor/config/proxy_environment.h"

#include <algorithm>
#include <cstddef>
#include <utility>

#include "common/base/result.h"
#include "supervisor/config/listen_address.h"
#include "supervisor/config/number_text.h"
#include "supervisor/config/text_rules.h"

namespace baokms::supervisor {
namespace {

constexpr std::uint16_t kHttpPort = 80;
constexpr unsigned kBitsPerByte = 8;

constexpr unsigned kIpv4PrefixBits = 96;

bool SharesPrefix(const IpBytes& a, const IpBytes& b, unsigned bits) {
  for (std::size_t i = 0; i < a.size() && bits > 0; ++i) {
    const unsigned compared = std::min(bits, kBitsPerByte);
    if (((a.at(i) ^ b.at(i)) >> (kBitsPerByte - compared)) != 0) {
      return false;
    }
    bits -= compared;
  }
  return true;
}

bool MatchesNetwork(std::string_view entry, const setup::HttpsAddress& target) {
  const std::string_view address = entry.substr(0, entry.find('/'));
  const unsigned skipped = address.find(':') == std::string_view::npos ? kIpv4PrefixBits : 0;
  const auto network = ParseIp(address);
  const auto bits = ParseDecimal(entry.substr(address.size() + 1), 128 - skipped);
  const auto host = ParseIp(target.host);
  return network && bits && host && IsIpv4(*network) == IsIpv4(*host) &&
         SharesPrefix(*network, *host, skipped + *bits);
}

struct HostAndPort {
  std::string_view host;
  std::optional<std::uint32_t> port;
};

// Accepts "host", "host:port", "[v6]", "[v6]:port" and "v6".
HostAndPort SplitEntry(std::string_view entry) {
  if (ParseIp(entry)) {
    return {entry, std::nullopt};
  }
  const std::size_t colon = entry.rfind(':');
  HostAndPort split{entry, std::nullopt};
  if (colon != std::string_view::npos && entry.find(']', colon) == std::string_view::npos) {
    split = {entry.substr(0, colon), ParseDecimal(entry.substr(colon + 1), 65535).value_or(0)};
  }
  if (split.host.starts_with('[') && split.host.ends_with(']')) {
    split.host = split.host.substr(1, split.host.size() - 2);
  }
  return split;
}

bool MatchesName(std::string_view name, std::string_view host) {
  if (name.starts_with("*.")) {
    name.remove_prefix(1);
  }
  if (!name.starts_with('.') && EqualsIgnoringAsciiCase(name, host)) {
    return true;
  }
  if (name.starts_with('.')) {
    name.remove_prefix(1);
  }
  return host.size() > name.size() + 1 && host[host.size() - name.size() - 1] == '.' &&
         EqualsIgnoringAsciiCase(host.substr(host.size() - name.size()), name);
}

bool Matches(std::string_view entry, const setup::HttpsAddress& target) {
  if (entry.find('/') != std::string_view::npos) {
    return MatchesNetwork(entry, target);
  }
  const HostAndPort split = SplitEntry(entry);
  if (split.port && *split.port != target.port) {
    return false;
  }
  const auto entry_ip = ParseIp(split.host);
  const auto target_ip = ParseIp(target.host);
  if (entry_ip || target_ip) {
    return entry_ip == target_ip;
  }
  return !split.host.empty() && MatchesName(split.host, target.host);
}

// The upper-case name takes precedence; an empty variable counts as unset.
std::string FirstOf(const Environment& environment,
                    std::string_view upper,
                    std::string_view lower) {
  for (const std::string_view name : {upper, lower}) {
    if (auto value = environment(name); value && !value->empty()) {
      return *std::move(value);
    }
  }
  return "";
}

ProxyChoice ParseProxy(std::string_view url) {
  constexpr std::string_view kScheme = "http://";
  const bool bare = url.find("://") == std::string_view::npos;
  if (!bare && !EqualsIgnoringAsciiCase(url.substr(0, kScheme.size()), kScheme)) {
    return {.refusal = "only a proxy of the form http://host:port is supported"};
  }
  const std::string rest(bare ? url : url.substr(kScheme.size()));
  const Result<setup::HttpsAddress> address = setup::ParseHttpsAddress("https://" + rest);
  if (!address || !address->prefix.empty()) {
    return {.refusal = "only a proxy of the form http://host:port is supported, without user info"};
  }
  const bool has_port =
      address->authority.find(':', address->authority.find(']') + 1) != std::string::npos;
  return {.proxy = ProxyAddress{address->host, has_port ? address->port : kHttpPort}};
}

}  // namespace

bool IsExempt(std::string_view no_proxy, const setup::HttpsAddress& target) {
  while (!no_proxy.empty()) {
    const std::size_t comma = no_proxy.find(',');
    const std::string_view entry = TrimSpace(no_proxy.substr(0, comma));
    if (entry == "*" || (!entry.empty() && Matches(entry, target))) {
      return true;
    }
    no_proxy.remove_prefix(comma == std::string_view::npos ? no_proxy.size() : comma + 1);
  }
  return false;
}

ProxyChoice FindProxy(const Environment& environment, const setup::HttpsAddress& target) {
  const std::string url = FirstOf(environment, "HTTPS_PROXY", "https_proxy");
  if (url.empty() || IsLoopback(target.host) ||
      IsExempt(FirstOf(environment, "NO_PROXY", "no_proxy"), target)) {
    return {};
  }
  return ParseProxy(TrimSpace(url));
}

}  // namespace baokms::supervisor
