// The report of `probe`: a list of checks, each with its result.

#pragma once

#include <string>
#include <vector>

#include "supervisor/state_commands/command_report.h"

namespace baokms::supervisor {

enum class CheckStatus { kPass, kWarn, kFail };

struct Check {
  std::string id;
  std::string title;
  CheckStatus status;
  // Never contains plaintext, a token or a server's error text.
  std::string message;
};

struct ProbeReport {
  std::vector<Check> checks;

  void Add(CheckStatus status, std::string id, std::string title, std::string message);

  // Warnings do not make the command fail.
  [[nodiscard]] bool Failed() const;
};

// Formats as text: "probe", then "[pass] <id>: <title> - <message>" per check. As JSON: one
// object, indented by two spaces. Both end with a newline.
std::string ToString(const ProbeReport& report, OutputFormat format);

}  // namespace baokms::supervisor
