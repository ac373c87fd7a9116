// Runs what the flags of a registry command ask for.

#pragma once

#include "supervisor/cli/state_flags.h"
#include "supervisor/state_commands/command_host.h"
#include "supervisor/state_commands/command_result.h"

namespace baokms::supervisor {

CommandResult RunStateTask(const StateTask& task, const CommandHost& host);

}  // namespace baokms::supervisor
