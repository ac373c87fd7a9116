// What diagnostic commands print: a list of checks with a verdict each.

#pragma once

#include <iosfwd>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace baokms::supervisor {

enum class OutputFormat { kText, kJson };

enum class CheckStatus { kPass, kWarn, kFail, kSkip };

struct Check {
  std::string id;
  std::string title;
  CheckStatus status;
  // Never holds plaintext, a token or a server's error text. May be empty.
  std::string message;
};

struct Report {
  std::string name;
  std::vector<Check> checks;

  void Add(CheckStatus status, std::string id, std::string title, std::string message);

  // Only a failed check makes a command fail.
  [[nodiscard]] bool Failed() const;
};

// Text: the name, then "[pass] <id>: <title> - <message>" per check. JSON: one object, indented by
// two spaces. Both end with a newline.
void Print(const Report& report, OutputFormat format, std::ostream& out);

// Facts in the order given: "key: value" lines, or one JSON object of strings.
using Facts = std::vector<std::pair<std::string, std::string>>;
void Print(const Facts& facts, OutputFormat format, std::ostream& out);

}  // namespace baokms::supervisor
