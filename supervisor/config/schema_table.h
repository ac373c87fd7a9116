// The one table of configuration keys. Strict loading, defaults, validation, overrides, reload,
// JSON Schema and the reference in docs/config.md are all read from it; nothing else in the tree
// lists keys.

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

// Where in a Config the value of a key lives.
template <typename T>
struct Access {
  T& (*write)(Config&);
  const T& (*read)(const Config&);
};

struct TextField : Access<std::string> {
  const TextRule* rule;
};

struct IntField : Access<int> {
  NumberRule rule;
};

struct BoolField : Access<bool> {};

struct DurationField : Access<Duration> {
  Least least;
  // Above it a value works, but is more likely a wrong unit than a decision: a warning. Empty:
  // none.
  std::string_view usual_max{};
};

struct TextListField : Access<std::vector<std::string>> {
  const TextRule* rule;
  std::size_t max_items = kMaxListItems;
};

struct IdListField : Access<std::vector<std::uint32_t>> {
  NumberRule rule;
};

// One of a few fixed words, kept as an enumeration (choices.h).
struct ChoiceField {
  std::vector<std::string_view> (*words)();
  // Sets the value; false when the word is none of words().
  bool (*write)(Config&, std::string_view word);
  std::string_view (*read)(const Config&);
};

using Field = std::
    variant<TextField, IntField, BoolField, DurationField, TextListField, IdListField, ChoiceField>;

struct Need {
  // When the key's rule is checked at all.
  const Condition* checked;
  // When the key must have a non-blank value; null: never.
  const Condition* required;
  // Whether the JSON Schema wants it written although it may have a default.
  bool listed;
};

// Whether the Go provider of the same name knows the key too.
enum class Since : std::uint8_t { kCommon, kOurs };

// What SIGHUP does about a changed value.
enum class Reload : std::uint8_t {
  kRestart,  // named in the log, in force after a restart
  kApplied,
  kSealed,  // the whole reload is refused: trust, identity and paths are fixed at the start
};

// The flag and the environment variables that set a key. The first variable that is set wins.
struct Override {
  std::string_view flag{};
  std::string_view variable{};
  std::string_view second_variable{};
};

// What only some rows have.
struct RowExtras {
  // What the generated examples write, when that is not the default.
  std::string_view example{};
  Since since = Since::kCommon;
  Override override{};
};

struct SchemaRow {
  // Full path in the file, for example "server.socketPath".
  std::string_view key;
  Field field;
  Need need;
  // As it would be written in the file, without quotes. Empty: "", or an empty list.
  std::string_view default_text;
  Reload reload;
  // One or two sentences for the reference.
  std::string_view description;
  RowExtras extras{};
};

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

// "`jwt`, `cert`" or "jwt, cert": words in a sentence, each between two `quote`.
std::string JoinWords(const std::vector<std::string_view>& words, std::string_view quote);

}  // namespace baokms::supervisor
