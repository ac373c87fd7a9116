// The one table of configuration keys. Strict loading, defaults, validation, JSON Schema and the
// reference in docs/config.md are all read from it; nothing else in the tree lists keys.

#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "supervisor/config/config.h"

namespace baokms::supervisor {

// Where in a Config the value of a key lives.
template <typename T>
struct Access {
  T& (*write)(Config&);
  const T& (*read)(const Config&);
};

using TextField = Access<std::string>;
using IntField = Access<int>;
using BoolField = Access<bool>;
using DurationField = Access<Duration>;
using TextListField = Access<std::vector<std::string>>;
using IdListField = Access<std::vector<std::uint32_t>>;
using Field =
    std::variant<TextField, IntField, BoolField, DurationField, TextListField, IdListField>;

// When a key has to have a non-blank value, and when its rule is checked at all.
enum class Need {
  kOptional,
  kRequired,
  kJwtRequired,  // with auth.method jwt
  kJwtOptional,
  kFileRequired,    // with auth.jwt.source file
  kOAuth2Required,  // with auth.jwt.source oauth2
  kOAuth2Optional,
  kCertRequired,  // with auth.method cert
  kCertOptional,
  kPkcs11Required,       // with auth.cert.source pkcs11
  kPkcs11LabelRequired,  // the same, unless there is a PKCS#11 URI
  kPkcs11Optional,
  kSpiffeOptional,  // with auth.cert.source spiffe
};

enum class RuleKind {
  kAny,           // bool, or checked by a relation
  kIdentifier,    // no white space at either end, no NUL, CR, LF, TAB
  kMountPath,     // identifier that is a clean relative path
  kNamespace,     // mount path without "%"
  kKeyName,       // OpenBao's key name rule
  kHttpsAddress,  // https URL without user info, query, fragment
  kTokenUrl,      // https URL without user info, fragment; query allowed
  kAbsoluteUri,   // list: absolute URI without user info, fragment
  kScope,         // list: RFC 6749 scope token
  kAbsolutePath,
  kCredentialPath,  // absolute path or ${CREDENTIALS_DIRECTORY}/name
  kSocketPath,
  kSocketMode,
  kSocketGroup,
  kListenAddress,
  kSpiffeSocket,
  kSpiffeId,
  kPkcs11Uri,     // pkcs11:..., printable, without pin-value; the agent reads it
  kVariableName,  // list: an environment variable that a module may inherit
  kNoControl,     // no byte below 0x20, no 0x7f
  kOneOf,         // `choices`
  kRange,         // min..max, numbers; for lists of ids: each entry
  kPositive,      // duration > 0
  kNotNegative,
};

struct Rule {
  RuleKind kind = RuleKind::kAny;
  std::int64_t min = 0;
  std::int64_t max = 0;
  // For kOneOf, separated by "|".
  std::string_view choices{};
};

// Whether the Go provider of the same name knows the key too.
enum class Since { kCommon, kOurs };

struct SchemaRow {
  // Full path in the file, for example "server.socketPath".
  std::string_view key;
  Field field;
  Need need;
  Rule rule;
  // As it would be written in the file, without quotes. Empty: "", or an empty list.
  std::string_view default_text;
  // One line for the reference.
  std::string_view description;
  // What the generated examples write, when that is not the default.
  std::string_view example;
  Since since = Since::kCommon;
};

// Most entries of any list in the file; the longest real ones have a handful.
inline constexpr std::size_t kMaxListItems = 64;

// Longest text of any key: PATH_MAX, which is longer than any URL or name needs to be.
inline constexpr std::size_t kMaxTextBytes = 4096;

// All keys, parents before children, in the order of the documentation.
std::span<const SchemaRow> SchemaTable();

// The row of a key, null when there is none.
const SchemaRow* FindSchemaRow(std::string_view key);

// Whether `key` is the path of a section. "" is the whole file.
bool IsSection(std::string_view key);

// One line about a section, for the schema and the reference.
std::string_view SectionDescription(std::string_view key);

// The names directly below a section, in the table's order.
std::vector<std::string_view> ChildNames(std::string_view section);

// "server.socketPath" from "server" and "socketPath"; the name alone for the whole file.
std::string JoinKey(std::string_view section, std::string_view name);

// Choices of a kOneOf rule.
std::vector<std::string_view> SplitChoices(std::string_view choices);

}  // namespace baokms::supervisor
