#include "supervisor/cli/command.h"

namespace baokms::supervisor {

std::optional<std::string> CommandContext::Value(std::string_view flag) const {
  const auto found = input_.values.find(flag);
  return found == input_.values.end() ? std::nullopt : std::optional(found->second);
}

// A report that could not be written counts as a failure.
int CommandContext::Print(std::string_view text) const {
  Write(text);
  streams_.out.flush();
  return streams_.out ? static_cast<int>(ExitCode::kOk)
                      : Fail(ExitCode::kUnclassified, "standard output cannot be written");
}

int CommandContext::Fail(ExitCode code, std::string_view line) const {
  streams_.out.flush();
  Note(line);
  return static_cast<int>(code);
}

int CommandContext::FailConfig(std::span<const Problem> problems) const {
  return Fail(ExitCode::kConfig, DescribeProblems(problems));
}

}  // namespace baokms::supervisor
