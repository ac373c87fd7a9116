// The system's configuration of name lookups: resolv.conf(5) and the `hosts` line of
// nsswitch.conf(5), reduced to the order in which a name is looked up
// (docs/decisions/0006-name-lookup.md).

#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace baokms::supervisor {

// What came of one source of addresses, as nsswitch.conf(5) calls it.
enum class LookupStatus : std::uint8_t { kSuccess, kNotFound, kUnavailable, kTryAgain };

// One service of the `hosts` line.
struct LookupService {
  enum class Kind : std::uint8_t { kHostsFile, kDns };

  Kind kind = Kind::kHostsFile;
  // Bit 1 << status is set: the lookup ends with this status ("return").
  std::uint8_t returns_on = 1U << static_cast<unsigned>(LookupStatus::kSuccess);

  [[nodiscard]] bool ReturnsOn(LookupStatus status) const {
    return (returns_on >> static_cast<unsigned>(status) & 1U) != 0;
  }
};

// The `hosts` line of an nsswitch.conf. `files` is the hosts file and `dns` is DNS. `resolve`,
// which asks systemd-resolved, is both, because that service reads the hosts file and resolv.conf
// names it or its servers. Other services cannot be asked by a confined process and are skipped
// together with their actions: a service such as `mdns4_minimal` or `myhostname` must not hide the
// others. Without a usable service: `files dns`.
[[nodiscard]] std::vector<LookupService> ParseNsswitch(std::string_view text);

// What decides, by resolv.conf(5), under which names DNS is asked. Servers and transport are left
// to c-ares.
struct SearchRules {
  std::vector<std::string> domains;  // without a final dot; "" is the root
  unsigned ndots = 1;
};

// `host_name`, as of gethostname(2), gives the domain when there is no `search` or `domain` line.
[[nodiscard]] SearchRules ParseResolvConf(std::string_view text, std::string_view host_name);

// The absolute names, each with its final dot, that DNS is asked for in turn: the name as it is
// first or last, depending on its dots, and below each search domain. A name that ends in a dot
// stands for itself alone.
[[nodiscard]] std::vector<std::string> CandidateNames(std::string_view host,
                                                      const SearchRules& rules);

// The same rules of this machine, read anew.
[[nodiscard]] std::vector<LookupService> ReadLookupServices();
[[nodiscard]] SearchRules ReadSearchRules();

}  // namespace baokms::supervisor
