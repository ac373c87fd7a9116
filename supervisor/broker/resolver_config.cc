#include "supervisor/broker/resolver_config.h"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <charconv>
#include <climits>
#include <cstddef>
#include <cstdio>
#include <iterator>
#include <memory>
#include <sstream>
#include <utility>

namespace baokms::supervisor {
namespace {

// Maximum number of search domains in use. Kubernetes allows a pod 32; glibc has no limit.
constexpr std::size_t kMaxSearchDomains = 32;

// glibc's limit (RES_MAXNDOTS).
constexpr unsigned kMaxNdots = 15;

// Maximum size of a configuration file. Real ones have a few hundred bytes.
constexpr std::size_t kMaxFileBytes = std::size_t{64} * 1024;

std::vector<std::string> Words(std::string_view text) {
  std::istringstream stream{std::string(text)};
  return {std::istream_iterator<std::string>(stream), {}};
}

std::vector<std::string> Lines(std::string_view text) {
  std::istringstream stream{std::string(text)};
  std::vector<std::string> lines;
  for (std::string line; std::getline(stream, line);) {
    lines.push_back(std::move(line));
  }
  return lines;
}

std::string Lower(std::string_view text) {
  std::string lower(text);
  std::ranges::transform(lower, lower.begin(),
                         [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return lower;
}

// Returns the file's text, truncated at kMaxFileBytes; empty if it cannot be read. Standard I/O
// needs no more system calls than c-ares does for the same files.
std::string ReadText(const char* path) {
  std::string text;
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(std::fopen(path, "re"), &std::fclose);
  std::array<char, 4096> piece{};
  std::size_t count = 1;
  while (file != nullptr && count > 0 && text.size() < kMaxFileBytes) {
    count = std::fread(piece.data(), 1, piece.size(), file.get());
    text.append(piece.data(), count);
  }
  return text;
}

// Applies the actions between brackets, for example "!UNAVAIL=return NOTFOUND=continue".
void ApplyActions(std::string_view text, std::uint8_t& returns_on) {
  constexpr std::array<std::string_view, 4> kStatuses = {"success", "notfound", "unavail",
                                                         "tryagain"};
  for (const std::string& word : Words(text)) {
    const std::string action = Lower(word);
    const std::size_t equals = std::min(action.find('='), action.size());
    const bool negated = action.starts_with('!');
    const std::string name = action.substr(negated ? 1 : 0, equals - (negated ? 1 : 0));
    const bool returns = action.substr(equals) == "=return";
    for (std::size_t i = 0; i < kStatuses.size(); ++i) {
      if ((kStatuses[i] == name) != negated) {
        const auto bit = static_cast<std::uint8_t>(1U << i);
        returns_on = static_cast<std::uint8_t>(returns ? returns_on | bit : returns_on & ~bit);
      }
    }
  }
}

void AddServices(std::string_view name, std::vector<LookupService>& services) {
  if (name == "files" || name == "resolve") {
    services.push_back({.kind = LookupService::Kind::kHostsFile});
  }
  if (name == "dns" || name == "resolve") {
    services.push_back({.kind = LookupService::Kind::kDns});
  }
}

std::vector<LookupService> ParseServices(std::string_view line) {
  std::vector<LookupService> services;
  bool usable = false;  // whether the last service is supported, so that actions apply to it
  while (!line.empty()) {
    if (line.front() == '[') {
      const std::size_t end = std::min(line.find(']'), line.size());
      if (usable) {
        ApplyActions(line.substr(1, end - 1), services.back().returns_on);
      }
      line.remove_prefix(std::min(line.size(), end + 1));
      continue;
    }
    const std::size_t end = std::min(line.find_first_of(" \t\r["), line.size());
    if (end == 0) {
      line.remove_prefix(1);
      continue;
    }
    const std::size_t before = services.size();
    AddServices(line.substr(0, end), services);
    usable = services.size() > before;
    line.remove_prefix(end);
  }
  return services;
}

}  // namespace

std::vector<LookupService> ParseNsswitch(std::string_view text) {
  std::vector<LookupService> services;
  for (const std::string& with_comment : Lines(text)) {
    const std::string_view line = std::string_view(with_comment).substr(0, with_comment.find('#'));
    const std::size_t colon = line.find(':');
    const std::vector<std::string> database = Words(line.substr(0, colon));
    if (colon != std::string_view::npos && database.size() == 1 && database[0] == "hosts") {
      services = ParseServices(line.substr(colon + 1));
    }
  }
  if (services.empty()) {
    AddServices("files", services);
    AddServices("dns", services);
  }
  return services;
}

SearchRules ParseResolvConf(std::string_view text, std::string_view host_name) {
  SearchRules rules;
  const std::size_t dot = host_name.find('.');
  std::vector<std::string> domains;
  if (dot != std::string_view::npos) {
    domains.emplace_back(host_name.substr(dot + 1));
  }
  for (const std::string& line : Lines(text)) {
    const std::vector<std::string> words = Words(line);
    if (words.size() < 2 ||
        std::string_view("#; \t").find(line.front()) != std::string_view::npos) {
      continue;  // comments and, as in glibc, lines that do not begin with the keyword
    }
    if (words[0] == "domain") {
      domains = {words[1]};
    } else if (words[0] == "search") {
      domains.assign(words.begin() + 1, words.end());
    } else if (words[0] == "options") {
      for (const std::string& option : words) {
        if (option.starts_with("ndots:")) {
          unsigned ndots = 0;
          (void)std::from_chars(option.data() + 6, option.data() + option.size(), ndots);
          rules.ndots = std::min(ndots, kMaxNdots);
        }
        rules.tcp_only = rules.tcp_only || option == "use-vc";
      }
    }
  }
  for (std::string_view domain : domains) {
    domain.remove_prefix(domain.starts_with('.') ? 1 : 0);
    domain.remove_suffix(domain.ends_with('.') ? 1 : 0);
    if (rules.domains.size() < kMaxSearchDomains) {
      rules.domains.emplace_back(domain);
    }
  }
  return rules;
}

std::vector<std::string> CandidateNames(std::string_view host, const SearchRules& rules) {
  const std::string as_is(host);
  if (host.ends_with('.')) {
    return {as_is};
  }
  std::vector<std::string> names;
  const auto add = [&](std::string name) {
    if (std::ranges::find(names, name) == names.end()) {
      names.push_back(std::move(name));
    }
  };
  const auto dots = static_cast<unsigned>(std::ranges::count(host, '.'));
  if (dots >= rules.ndots) {
    add(as_is + ".");
  }
  for (const std::string& domain : rules.domains) {
    add(as_is + "." + domain + (domain.empty() ? "" : "."));
  }
  add(as_is + ".");
  return names;
}

std::vector<LookupService> ReadLookupServices() {
  return ParseNsswitch(ReadText("/etc/nsswitch.conf"));
}

SearchRules ReadSearchRules() {
  std::array<char, HOST_NAME_MAX + 1> host_name{};
  if (::gethostname(host_name.data(), host_name.size() - 1) != 0) {
    host_name[0] = '\0';
  }
  return ParseResolvConf(ReadText("/etc/resolv.conf"), host_name.data());
}

}  // namespace baokms::supervisor
