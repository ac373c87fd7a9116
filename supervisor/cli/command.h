// A command as data: its name, its flags and the function that runs it. The table of all commands
// is commands/commands.h. Free of the library that parses arguments.

#pragma once

#include <map>
#include <optional>
#include <ostream>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "supervisor/cli/cli.h"
#include "supervisor/cli/exit_code.h"
#include "supervisor/cli/report.h"
#include "supervisor/config/load.h"
#include "supervisor/config/problem.h"

namespace baokms::supervisor {

inline constexpr std::string_view kProgramName = "bao-kms-provider";

// Placeholders of values that a shell can complete.
inline constexpr std::string_view kPathValue = "PATH";
inline constexpr std::string_view kFormatValue = "FORMAT";

struct Flag {
  // With its dashes; without them it stands for the words that follow the command's name.
  std::string_view name;
  // Placeholder of the value in help texts; empty: a switch, which is on or off.
  std::string_view value;
  std::string_view help;
};

inline constexpr Flag kOutputFlag{"--output", kFormatValue, "Output format: text or json"};

class CommandContext;

struct Command {
  std::string_view name;
  std::string_view help;
  std::span<const Flag> flags{};
  // Answers with the exit code; null for a command that only holds others, which prints its help.
  int (*run)(const CommandContext&) = nullptr;
  std::span<const Command> children{};
};

// Flags that every command accepts, before and after its name.
inline constexpr Flag kGlobalFlags[] = {
    {"--config", kPathValue, "Configuration file"},
    {"--log-level", "VALUE", "Override logging.level"},
    {"--metrics-address", "VALUE", "Override server.metricsAddress"},
    {"--health-address", "VALUE", "Override server.healthAddress"}};

// Values by the name of the flag, as typed; a switch is "true" or "false".
using FlagValues = std::map<std::string, std::string, std::less<>>;

// What one run of a command is given, and the ways in which it ends. It outlives the run.
class CommandContext final {
 public:
  struct Input {
    FlagValues values;
    std::vector<std::string> words;
    OutputFormat output = OutputFormat::kText;
    LoadOptions load;
  };

  CommandContext(Input input, const CliStreams& streams, const CliHooks& hooks)
      : input_(std::move(input)), streams_(streams), hooks_(hooks) {}

  CommandContext(const CommandContext&) = delete;
  CommandContext& operator=(const CommandContext&) = delete;

  // What was typed for the flag; empty: the flag was not given.
  [[nodiscard]] std::optional<std::string> Value(std::string_view flag) const;

  // The same with "" for a flag that was not given.
  [[nodiscard]] std::string ValueOrEmpty(std::string_view flag) const {
    return Value(flag).value_or("");
  }

  // The switch was given and is on.
  [[nodiscard]] bool IsOn(std::string_view flag) const { return Value(flag) == "true"; }

  // The words behind the flags, for a command that takes any.
  [[nodiscard]] const std::vector<std::string>& words() const { return input_.words; }

  [[nodiscard]] OutputFormat output() const { return input_.output; }

  [[nodiscard]] const LoadOptions& load() const { return input_.load; }

  [[nodiscard]] const CliHooks& hooks() const { return hooks_; }

  // Writes to standard output.
  void Write(std::string_view text) const { streams_.out << text; }

  // Writes one line to standard error.
  void Note(std::string_view line) const { streams_.err << line << "\n"; }

  // Writes `text` and ends with success.
  [[nodiscard]] int Print(std::string_view text) const;

  // Ends with `code` and one line that says why.
  [[nodiscard]] int Fail(ExitCode code, std::string_view line) const;

  // Ends with the exit code for wrong arguments.
  [[nodiscard]] int FailUsage(std::string_view line) const { return Fail(ExitCode::kUsage, line); }

  // Ends with the problems of the configuration.
  [[nodiscard]] int FailConfig(std::span<const Problem> problems) const;

 private:
  const Input input_;
  const CliStreams& streams_;
  const CliHooks& hooks_;
};

}  // namespace baokms::supervisor
