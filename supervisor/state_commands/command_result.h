// The result of an operator command: always a report, and a sentence if the command failed.

#pragma once

#include <string>
#include <string_view>

#include "common/base/error.h"
#include "supervisor/state_commands/command_report.h"

namespace baokms::supervisor {

struct CommandResult {
  CommandReport report;
  // One line for the operator, without a newline; empty: success.
  std::string failure;
};

// Returns "cannot <what>: <reason>: <errno's text>".
[[nodiscard]] std::string CannotSentence(std::string_view what, const Error& error);

}  // namespace baokms::supervisor
