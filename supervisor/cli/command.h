// A command as data: its name, its flags and the function that runs it. The table of all commands
// is in commands/commands.h. Independent of the library that parses arguments.

#pragma once

#include <map>
#include <optional>
#include <ostream>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "supervisor/cli/cli.h"
#include "supervisor/config/document.h"
#include "supervisor/config/load.h"
#include "supervisor/state_commands/command_report.h"

namespace baokms::supervisor {

inline constexpr std::string_view kProgramName = "bao-kms-provider";

// Placeholders of values that a shell can complete.
inline constexpr std::string_view kPathValue = "PATH";
inline constexpr std::string_view kFormatValue = "FORMAT";

struct Flag {
  // With its dashes; without dashes it stands for the arguments after the command's name.
  std::string_view name;
  // Placeholder of the value in help texts; empty for a switch, which has no value.
  std::string_view value;
  std::string_view help;
};

inline constexpr Flag kOutputFlag{"--output", kFormatValue, "Output format: text or json"};

class CommandContext;

struct Command {
  std::string_view name;
  std::string_view help;
  std::span<const Flag> flags{};
  // Runs the command and returns the exit code. Null for a command that only groups others; it
  // prints its help.
  int (*run)(const CommandContext&) = nullptr;
  std::span<const Command> children{};
};

// Flags that every command accepts, before and after its name.
inline constexpr Flag kGlobalFlags[] = {
    {"--config", kPathValue, "Configuration file"},
    {"--log-level", "VALUE", "Override logging.level"},
    {"--metrics-address", "VALUE", "Override server.metricsAddress"},
    {"--health-address", "VALUE", "Override server.healthAddress"}};

// Values by the flag's name, as typed; a switch is "true" or "false".
using FlagValues = std::map<std::string, std::string, std::less<>>;

// The input of one run of a command and the ways to end it. It outlives the run.
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

  // Returns the value that was typed for the flag; nothing if the flag was not given.
  [[nodiscard]] std::optional<std::string> Value(std::string_view flag) const;

  // Like Value(), but returns "" if the flag was not given.
  [[nodiscard]] std::string ValueOrEmpty(std::string_view flag) const {
    return Value(flag).value_or("");
  }

  // Returns whether the switch was given and is on.
  [[nodiscard]] bool IsOn(std::string_view flag) const { return Value(flag) == "true"; }

  // Returns the arguments after the flags, for a command that accepts any.
  [[nodiscard]] const std::vector<std::string>& words() const { return input_.words; }

  [[nodiscard]] OutputFormat output() const { return input_.output; }

  [[nodiscard]] const LoadOptions& load() const { return input_.load; }

  [[nodiscard]] const CliHooks& hooks() const { return hooks_; }

  // Writes to standard output.
  void Write(std::string_view text) const { streams_.out << text; }

  // Writes one line to standard error.
  void Note(std::string_view line) const { streams_.err << line << "\n"; }

  // Writes `text` and returns the exit code for success.
  [[nodiscard]] int Print(std::string_view text) const;

  // Writes one line that gives the reason and returns `code`.
  [[nodiscard]] int Fail(ExitCode code, std::string_view line) const;

  // Writes one line and returns the exit code for wrong arguments.
  [[nodiscard]] int FailUsage(std::string_view line) const { return Fail(ExitCode::kUsage, line); }

  // Writes the problems of the configuration and returns the exit code for them.
  [[nodiscard]] int FailConfig(std::span<const Problem> problems) const;

 private:
  const Input input_;
  const CliStreams& streams_;
  const CliHooks& hooks_;
};

}  // namespace baokms::supervisor
