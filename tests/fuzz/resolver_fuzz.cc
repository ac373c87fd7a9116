// resolv.conf(5), nsswitch.conf(5) and a name to look up: the name up to the first line end, the
// file after it. Properties: there is always a source of addresses, the names that are queried are
// absolute, different and few, and the name itself is among them.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "supervisor/broker/resolver_config.h"
#include "tests/fuzz/require.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  namespace supervisor = baokms::supervisor;
  using baokms::Require;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const std::size_t end = std::min(text.find('\n'), text.size());
  const std::string_view host = text.substr(0, end);
  const std::string_view file = text.substr(std::min(end + 1, text.size()));
  Require(!supervisor::ParseNsswitch(file).empty(), "there is a source of addresses");
  const supervisor::SearchRules rules = supervisor::ParseResolvConf(file, host);
  Require(rules.ndots <= 15 && rules.domains.size() <= 32, "the limits of glibc hold");
  const std::vector<std::string> names = supervisor::CandidateNames(host, rules);
  Require(!names.empty() && names.size() <= rules.domains.size() + 1, "few names are queried");
  Require(std::set(names.begin(), names.end()).size() == names.size(), "no name is queried twice");
  Require(std::ranges::all_of(names, [](const auto& name) { return name.ends_with('.'); }),
          "every name is absolute");
  Require(std::ranges::any_of(names,
                              [host](std::string_view name) {
                                return name == host ||
                                       (name.starts_with(host) && name.size() == host.size() + 1);
                              }),
          "the name itself is queried");
  return 0;
}
