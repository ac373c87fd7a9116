#include "supervisor/config/schema_table.h"

#include <algorithm>
#include <array>

namespace baokms::supervisor {
namespace {

struct SectionText {
  std::string_view key;
  std::string_view text;
};

constexpr std::array<SectionText, 19> kSections{{
    {"", "bao-kms-provider configuration"},
    {"server", "Socket and listeners."},
    {"server.allowedPeers", "Who may connect to the socket."},
    {"openbao", "The OpenBao cluster."},
    {"auth", "Login and tokens."},
    {"auth.jwt", "JWT login; checked with `auth.method: jwt`."},
    {"auth.jwt.oauth2", "OAuth 2.0 client credentials; only with source `oauth2`."},
    {"auth.cert", "Certificate login; checked with `auth.method: cert`."},
    {"auth.cert.pkcs11", "Client key in a PKCS#11 token."},
    {"auth.cert.spiffe", "Client key from a SPIFFE agent."},
    {"transit", "The key in OpenBao Transit."},
    {"transit.keyIdScope", "What a key id is derived from. Never change it for a key in use."},
    {"bootstrap", "Start-up."},
    {"status", "Probes and Status."},
    {"state", "Local state."},
    {"rotation", "Key rotation."},
    {"logging", "Log lines."},
    {"logging.debugCorrelation", "Incident mode."},
    {"isolation", "Processes."},
}};

bool IsBelow(std::string_view key, std::string_view section) {
  return section.empty() ||
         (key.size() > section.size() && key.starts_with(section) && key[section.size()] == '.');
}

}  // namespace

const SchemaRow* FindSchemaRow(std::string_view key) {
  const auto rows = SchemaTable();
  const auto found =
      std::find_if(rows.begin(), rows.end(), [&](const SchemaRow& row) { return row.key == key; });
  return found == rows.end() ? nullptr : &*found;
}

bool IsSection(std::string_view key) {
  const auto rows = SchemaTable();
  return std::any_of(rows.begin(), rows.end(),
                     [&](const SchemaRow& row) { return IsBelow(row.key, key); });
}

std::string_view SectionDescription(std::string_view key) {
  const auto* found = std::find_if(kSections.begin(), kSections.end(),
                                   [&](const SectionText& section) { return section.key == key; });
  return found == kSections.end() ? std::string_view() : found->text;
}

std::vector<std::string_view> ChildNames(std::string_view section) {
  std::vector<std::string_view> names;
  const std::size_t skip = section.empty() ? 0 : section.size() + 1;
  for (const SchemaRow& row : SchemaTable()) {
    if (!IsBelow(row.key, section)) {
      continue;
    }
    const std::string_view rest = row.key.substr(skip);
    const std::string_view name = rest.substr(0, rest.find('.'));
    if (std::find(names.begin(), names.end(), name) == names.end()) {
      names.push_back(name);
    }
  }
  return names;
}

std::string JoinKey(std::string_view section, std::string_view name) {
  std::string key(section);
  if (!key.empty()) {
    key.push_back('.');
  }
  return key.append(name);
}

std::vector<std::string_view> SplitChoices(std::string_view choices) {
  std::vector<std::string_view> list;
  while (!choices.empty()) {
    const std::size_t end = std::min(choices.find('|'), choices.size());
    list.push_back(choices.substr(0, end));
    choices.remove_prefix(std::min(end + 1, choices.size()));
  }
  return list;
}

}  // namespace baokms::supervisor
