// From arguments to the command that they name. The only code that sees CLI11; its exceptions end
// here.

#pragma once

#include <optional>
#include <span>
#include <string>
#include <variant>
#include <vector>

#include "supervisor/cli/command.h"

namespace baokms::supervisor {

// What is wrong with the arguments: one line, no prefix.
struct UsageError {
  std::string message;
};

struct CommandLine {
  // Null when `text` (a help text, the version) is all that was asked for.
  const Command* command = nullptr;
  std::string text;
  FlagValues values;
  std::vector<std::string> words;
  OutputFormat output = OutputFormat::kText;
};

// `arguments` are those after the program's name.
std::variant<CommandLine, UsageError> ParseCommandLine(std::span<const std::string> arguments);

// The help text of the command that `path` leads to, the program's own for an empty path.
std::variant<std::string, UsageError> HelpText(std::span<const std::string> path);

}  // namespace baokms::supervisor
