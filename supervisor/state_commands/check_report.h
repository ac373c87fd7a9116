// The report of a command that checks something: a list of checks, each with its result.

#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "supervisor/state_commands/command_report.h"

namespace baokms::supervisor {

enum class CheckStatus : std::uint8_t { kPass, kWarn, kFail, kSkip };

struct Check {
  std::string id;
  std::string title;
  CheckStatus status = CheckStatus::kPass;
  // Never contains plaintext, a token or a server's error text.
  std::string message{};
};

struct CheckReport {
  std::string name;  // of the command
  std::vector<Check> checks{};

  void Add(CheckStatus status, std::string id, std::string title, std::string message);

  // Only a failed check makes the command fail.
  [[nodiscard]] bool Failed() const;
};

// Formats as text: the name, then "[pass] <id>: <title> - <message>" per check. As JSON: one
// object, indented by two spaces. An empty message is left out. Both end with a newline.
std::string ToString(const CheckReport& report, OutputFormat format);

}  // namespace baokms::supervisor
