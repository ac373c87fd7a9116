// rotation-plan and verify-rotation: where this node is in a rotation, and, with a look at etcd,
// which key versions are still needed (command line reference, sections 7 and 12). They write
// nothing.

#pragma once

#include "supervisor/state_commands/command_host.h"
#include "supervisor/state_commands/command_result.h"

namespace baokms::supervisor {

CommandResult RunRotationPlan(const CommandHost& host);

CommandResult RunVerifyRotation(const CommandHost& host);

}  // namespace baokms::supervisor
