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
    {"server", "The KMS socket and the HTTP listeners."},
    {"server.allowedPeers", "Which users and groups may connect to the socket."},
    {"openbao", "The OpenBao cluster and how it is reached."},
    {"auth", "How the provider logs in and keeps its tokens valid."},
    {"auth.jwt", "JWT login. Only checked with `auth.method: jwt`."},
    {"auth.jwt.oauth2", "OAuth 2.0 client credentials grant. Only allowed with source `oauth2`."},
    {"auth.cert", "Login with a client certificate. Only checked with `auth.method: cert`."},
    {"auth.cert.pkcs11", "A client key in a PKCS #11 token."},
    {"auth.cert.spiffe", "A client key from a SPIFFE agent, which is not supported."},
    {"transit", "The encryption key in OpenBao Transit."},
    {"transit.keyIdScope",
     "The names that key ids are derived from. Never change them for a key in use."},
    {"bootstrap", "How long the provider waits for OpenBao at start-up."},
    {"status", "How often OpenBao is probed, and how long a result counts."},
    {"state", "The state that the provider keeps on this node."},
    {"rotation", "How new key versions are taken into use."},
    {"logging", "What is logged, and how."},
    {"logging.debugCorrelation", "Incident mode: correlation ids in the log for a limited time."},
    {"isolation", "The processes that the provider consists of."},
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

std::string JoinWords(const std::vector<std::string_view>& words, std::string_view quote) {
  std::string text;
  for (const std::string_view word : words) {
    text.append(text.empty() ? "" : ", ").append(quote).append(word).append(quote);
  }
  return text;
}

}  // namespace baokms::supervisor
