// What the commands that work on the registry have in common: the flags of a reviewed plan, and the
// steps from the configuration to a printed report.

#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "supervisor/cli/command.h"
#include "supervisor/state_commands/command_host.h"
#include "supervisor/state_commands/command_report.h"

namespace baokms::supervisor {

inline constexpr Flag kApplyFlag{"--apply", "",
                                 "Write the reviewed plan; stop the provider on this node first"};
inline constexpr std::string_view kExpectedHashName = "--expected-state-hash";
inline constexpr Flag kExpectedStateHashFlag{
    kExpectedHashName, "HASH", "stateHash of the reviewed plan; required with --apply"};
inline constexpr Flag kExpectedNextHashFlag{
    kExpectedHashName, "HASH", "nextStateHash of the reviewed plan; required with --apply"};

// Writes the report to standard output, even if the command failed, and returns the exit code.
int PrintReport(const CommandContext& context,
                const CommandReport& report,
                std::string_view failure);

// Loads the configuration, runs `command` with it and prints its report. With `report_file`, the
// report is written to that file instead of standard output.
int RunStateCommand(const CommandContext& context,
                    const std::function<CommandResult(const CommandHost&)>& command,
                    const std::string& report_file = "");

// Like RunStateCommand(), for a command that applies a reviewed plan: checks --apply and
// --expected-state-hash first.
int RunReviewedCommand(
    const CommandContext& context,
    const std::function<CommandResult(const CommandHost&, const ReviewedHash&)>& command,
    const std::string& report_file = "");

}  // namespace baokms::supervisor
