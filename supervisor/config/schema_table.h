// The table of all configuration keys. Strict loading, defaults, validation, overrides, reload, the
// JSON Schema and the reference in docs/config.md all use it; no other code lists keys.

#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "supervisor/config/conditions.h"
#include "supervisor/config/config.h"
#include "supervisor/config/rules.h"

namespace baokms::supervisor {

// Accesses the value of a key in a Config.
template <typename T>
struct Access {
  T& (*write)(Config&);
  const T& (*read)(const Config&);
};

struct TextField : Access<std::string> {
  static constexpr std::string_view kTypeName = "string";
  const TextRule* rule;
};

struct IntField : Access<int> {
  static constexpr std::string_view kTypeName = "integer";
  NumberRule rule;
};

struct BoolField : Access<bool> {
  static constexpr std::string_view kTypeName = "boolean";
};

struct DurationField : Access<Duration> {
  static constexpr std::string_view kTypeName = "duration";
  Least least;
  // A larger value works, but is more likely a wrong unit than intended: validation warns. Empty:
  // none.
  std::string_view usual_max{};
};

struct TextListField : Access<std::vector<std::string>> {
  static constexpr std::string_view kTypeName = "list of strings";
  const TextRule* rule;
  std::size_t max_items = kMaxListItems;
};

struct IdListField : Access<std::vector<std::uint32_t>> {
  static constexpr std::string_view kTypeName = "list of integers";
  NumberRule rule;
};

// One of several fixed values, stored as an enumeration (choices.h).
struct ChoiceField {
  static constexpr std::string_view kTypeName = "string";
  std::vector<std::string_view> (*words)();
  // Sets the value; returns false if `word` is none of words().
  bool (*write)(Config&, std::string_view word);
  std::string_view (*read)(const Config&);
};

// kTypeName is for the reference.
using Field = std::
    variant<TextField, IntField, BoolField, DurationField, TextListField, IdListField, ChoiceField>;

struct Need {
  // The condition under which the key's rule is checked.
  const Condition* checked;
  // The condition under which the key must have a non-blank value; null: never.
  const Condition* required;
  // Whether the JSON Schema requires the key although it may have a default.
  bool listed;
};

// Whether the Go provider of the same name also has the key.
enum class Since : std::uint8_t { kCommon, kOurs };

// How SIGHUP handles a changed value.
enum class Reload : std::uint8_t {
  kRestart,  // logged; takes effect after a restart
  kApplied,
  kSealed,  // rejects the whole reload: trust, identity and paths are fixed at the start
};

// The flag and the environment variables that set a key. The first variable that is set takes
// precedence.
struct Override {
  std::string_view flag{};
  std::string_view variable{};
  std::string_view second_variable{};
};

// Properties that only some rows have.
struct RowExtras {
  // The value in generated examples, if it is not the default.
  std::string_view example{};
  Since since = Since::kCommon;
  Override override{};
};

struct SchemaRow {
  // Full path in the file, for example "server.socketPath".
  std::string_view key;
  Field field;
  Need need;
  // As written in the file, without quotes. Empty: "" or an empty list.
  std::string_view default_text;
  Reload reload;
  // One or two sentences for the reference.
  std::string_view description;
  RowExtras extras{};
};

// Returns all keys, parents before children, in the order of the documentation.
std::span<const SchemaRow> SchemaTable();

// Returns the row of a key, null if there is none.
const SchemaRow* FindSchemaRow(std::string_view key);

// Returns whether `key` is the path of a section. "" is the whole file.
bool IsSection(std::string_view key);

// Returns one line about a section, for the schema and the reference.
std::string_view SectionDescription(std::string_view key);

// Returns the names directly below a section, in the table's order.
std::vector<std::string_view> ChildNames(std::string_view section);

// Returns "server.socketPath" for "server" and "socketPath"; the name alone for the whole file.
std::string JoinKey(std::string_view section, std::string_view name);

// Returns "`jwt`, `cert`" or "jwt, cert": a list for a sentence, each item between two `quote`.
std::string JoinWords(const std::vector<std::string_view>& words, std::string_view quote);

}  // namespace baokms::supervisor
