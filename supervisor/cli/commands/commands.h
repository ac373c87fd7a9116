// The table of all commands. A new command needs a Command in a file of this folder, its
// declaration and its place in the table here: help, completion and the parser follow from the
// table.

#pragma once

#include <array>

#include "supervisor/cli/command.h"

namespace baokms::supervisor {

extern const Command kServeCommand;
extern const Command kConfigCommand;
extern const Command kVersionCommand;
extern const Command kPolicyCommand;
extern const Command kIsolationCommand;
extern const Command kProbeCommand;
extern const Command kRotationPlanCommand;
extern const Command kVerifyRotationCommand;
extern const Command kRetireVersionsCommand;
extern const Command kRestoreVersionsCommand;
extern const Command kRecoverStateCommand;
extern const Command kMigrateStateCommand;
extern const Command kExportStateCommand;
extern const Command kImportStateCommand;
extern const Command kPinLatchCommand;
extern const Command kCompletionCommand;
extern const Command kHelpCommand;

// In the order of the help text.
inline constexpr std::array kCommands = {&kServeCommand,
                                         &kConfigCommand,
                                         &kVersionCommand,
                                         &kPolicyCommand,
                                         &kProbeCommand,
                                         &kIsolationCommand,
                                         &kRotationPlanCommand,
                                         &kVerifyRotationCommand,
                                         &kRetireVersionsCommand,
                                         &kRestoreVersionsCommand,
                                         &kRecoverStateCommand,
                                         &kMigrateStateCommand,
                                         &kExportStateCommand,
                                         &kImportStateCommand,
                                         &kPinLatchCommand,
                                         &kCompletionCommand,
                                         &kHelpCommand};

}  // namespace baokms::supervisor
