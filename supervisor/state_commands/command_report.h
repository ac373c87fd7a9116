// The report of an operator command: named facts in a fixed order, formatted as lines for people or
// as one JSON object for scripts. It does not depend on any command.

#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "common/base/error.h"

namespace baokms::supervisor {

enum class OutputFormat : std::uint8_t { kText, kJson };

using FactValue = std::variant<std::string, std::int64_t, std::uint64_t, bool>;

// One line of a list, for example a key version.
using FactRow = std::vector<std::pair<std::string, FactValue>>;

class CommandReport final {
 public:
  // `name` is the command's name; a report without a name consists of its facts alone.
  explicit CommandReport(std::string name = "") : name_(std::move(name)) {}

  void Add(std::string key, FactValue value);

  // Adds a fact unless it is "", 0 or false.
  void AddUnlessEmpty(std::string key, FactValue value);

  // Adds a list. In text it is one line per row, each beginning with `word`; in JSON one array,
  // even if empty.
  void AddRows(std::string key, std::string word, std::vector<FactRow> rows);

  // Adds numbers: "1,2,5" in text, an array in JSON.
  void AddNumbers(std::string key, std::vector<std::int64_t> numbers);

  [[nodiscard]] std::string ToString(OutputFormat format) const {
    return format == OutputFormat::kJson ? ToJson() : ToText();
  }

  // Returns the name, then "key: value" lines; "word: key=value key=value" for rows. Ends with a
  // newline.
  [[nodiscard]] std::string ToText() const;

  // Returns one object, indented by two spaces, with a final newline. Bytes that are not UTF-8 are
  // replaced.
  [[nodiscard]] std::string ToJson() const;

 private:
  struct Rows {
    std::string word;
    std::vector<FactRow> rows;
  };

  using Member = std::variant<FactValue, Rows, std::vector<std::int64_t>>;

  std::string name_;
  std::vector<std::pair<std::string, Member>> members_;
};

// The result of an operator command: always a report, and a sentence if the command failed.
struct CommandResult {
  CommandReport report;
  // One line for the operator, without a newline; empty: success.
  std::string failure;
};

// Returns "cannot <what>: <reason>: <errno's text>".
[[nodiscard]] std::string CannotSentence(std::string_view what, const Error& error);

}  // namespace baokms::supervisor
