// The report of a diagnostic command: a list of checks, each with its result.

#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "supervisor/state_commands/command_report.h"

namespace baokms::supervisor {

enum class CheckStatus { kPass, kWarn, kFail, kSkip };

struct Check {
  std::string id;
  std::string title;
  CheckStatus status;
  // Never contains plaintext, a token or a server's error text. May be empty.
  std::string message;
};

struct Report {
  std::string name;
  std::vector<Check> checks;

  void Add(CheckStatus status, std::string id, std::string title, std::string message);

  // Warnings and skipped checks do not make a command fail.
  [[nodiscard]] bool Failed() const;
};

// Parses "text" or "json", in any case and surrounded by spaces.
std::optional<OutputFormat> ParseOutputFormat(std::string_view text);

// Formats as text: the name, then "[pass] <id>: <title> - <message>" per check. As JSON: one
// object, indented by two spaces. Both end with a newline.
std::string ToString(const Report& report, OutputFormat format);

}  // namespace baokms::supervisor
