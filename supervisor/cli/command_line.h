// Parses arguments into the command that they name. The only code that uses CLI11; its exceptions
// are caught here.

#pragma once

#include <optional>
#include <span>
#include <string>
#include <variant>
#include <vector>

#include "supervisor/cli/command.h"

namespace baokms::supervisor {

// What is wrong with the arguments: one line without a prefix.
struct UsageError {
  std::string message;
};

struct CommandLine {
  // Null if only `text` (a help text or the version) was requested.
  const Command* command = nullptr;
  std::string text;
  FlagValues values;
  std::vector<std::string> words;
  OutputFormat output = OutputFormat::kText;
};

// `arguments` are those after the program's name.
std::variant<CommandLine, UsageError> ParseCommandLine(std::span<const std::string> arguments);

// Returns the help text of the command at `path`, or the program's own for an empty path.
std::variant<std::string, UsageError> HelpText(std::span<const std::string> path);

}  // namespace baokms::supervisor
