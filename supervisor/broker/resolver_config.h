// The system's configuration of name lookups: resolv.conf(5) and the `hosts` line of
// nsswitch.conf(5), reduced to the order in which a name is looked up
// (docs/decisions/0006-name-lookup.md).

#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace baokms::supervisor {

// The result of one source of addresses, in the terms of nsswitch.conf(5).
enum class LookupStatus : std::uint8_t { kSuccess, kNotFound, kUnavailable, kTryAgain };

// One service of the `hosts` line.
struct LookupService {
  enum class Kind : std::uint8_t { kHostsFile, kDns };

  Kind kind = Kind::kHostsFile;
  // A bit mask: if bit 1 << status is set, a lookup with this status ends here ("return").
  std::uint8_t returns_on = 1U << static_cast<unsigned>(LookupStatus::kSuccess);

  [[nodiscard]] bool ReturnsOn(LookupStatus status) const {
    return (returns_on >> static_cast<unsigned>(status) & 1U) != 0;
  }
};

// Parses the `hosts` line of an nsswitch.conf. `files` is the hosts file and `dns` is DNS.
// `resolve`, which asks systemd-resolved, stands for both, because that service reads the hosts
// file and resolv.conf names it or its servers. A confined process cannot query other services;
// they are skipped together with their actions, so that a service such as `mdns4_minimal` or
// `myhostname` does not hide the others. Without a usable service: `files dns`.
[[nodiscard]] std::vector<LookupService> ParseNsswitch(std::string_view text);

// The settings of resolv.conf(5) that decide under which names DNS is queried, and how. The servers
// are left to c-ares.
struct SearchRules {
  std::vector<std::string> domains;  // without a final dot; "" is the root
  unsigned ndots = 1;
  bool tcp_only = false;  // `use-vc`
};

// Parses a resolv.conf. `host_name`, as returned by gethostname(2), provides the domain if there is
// no `search` or `domain` line.
[[nodiscard]] SearchRules ParseResolvConf(std::string_view text, std::string_view host_name);

// Returns the absolute names, each with its final dot, for which DNS is queried in turn: the name
// itself, first or last depending on its dots, and the name within each search domain. A name that
// ends in a dot is queried only as it is.
[[nodiscard]] std::vector<std::string> CandidateNames(std::string_view host,
                                                      const SearchRules& rules);

// Read the same rules from this machine's current files.
[[nodiscard]] std::vector<LookupService> ReadLookupServices();
[[nodiscard]] SearchRules ReadSearchRules();

}  // namespace baokms::supervisor
