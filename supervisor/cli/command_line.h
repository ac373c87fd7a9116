// From arguments to what is asked for. The only code that sees CLI11; its exceptions end here.

#pragma once

#include <optional>
#include <span>
#include <string>
#include <variant>
#include <vector>

#include "supervisor/cli/command_tree.h"
#include "supervisor/cli/completion.h"
#include "supervisor/cli/pin_latch_command.h"
#include "supervisor/cli/policy.h"
#include "supervisor/cli/probe.h"
#include "supervisor/cli/report.h"
#include "supervisor/cli/state_flags.h"
#include "supervisor/cli/usage_error.h"

namespace baokms::supervisor {

struct GlobalFlags {
  std::optional<std::string> config;
  std::optional<std::string> log_level;
  std::optional<std::string> metrics_address;
  std::optional<std::string> health_address;
};

// Text that is ready to print: help, --version is not part of it.
struct HelpCommand {
  std::string text;
};

struct ServeCommand {};

struct ConfigCommand {
  OutputFormat output;
};

struct SchemaCommand {};

struct ReferenceCommand {};

struct VersionCommand {
  OutputFormat output;
};

// The --version flag.
struct ShortVersionCommand {};

struct PolicyCommand {
  TokenRenewal renewal;
  OutputFormat output;
};

struct ProbeCommand {
  ProbeOptions options;
  OutputFormat output;
};

struct PinLatchCommand {
  PinLatchAction action;
  OutputFormat output;
};

struct CompletionCommand {
  Shell shell;
};

using Command = std::variant<HelpCommand,
                             ServeCommand,
                             ConfigCommand,
                             SchemaCommand,
                             ReferenceCommand,
                             VersionCommand,
                             ShortVersionCommand,
                             PolicyCommand,
                             ProbeCommand,
                             StateCommand,
                             PinLatchCommand,
                             CompletionCommand>;

struct CommandLine {
  GlobalFlags globals;
  Command command;
};

// `arguments` are those after the program's name.
std::variant<CommandLine, UsageError> ParseCommandLine(std::span<const std::string> arguments);

// All commands and flags, for completion scripts.
CommandNode DescribeCommands();

}  // namespace baokms::supervisor
