// rotation-plan and verify-rotation: where this node is in a rotation, and, with a look at etcd,
// which key versions are still needed (command line reference, sections 7 and 12). They write
// nothing.

#pragma once

#include "supervisor/etcd/scan.h"
#include "supervisor/state_commands/command_host.h"
#include "supervisor/state_commands/command_result.h"

namespace baokms::supervisor {

CommandResult RunRotationPlan(const CommandHost& host);

// With an `etcd` it also counts what is stored there, so that the report can say which Transit
// versions are still needed; it fails when min_decryption_version may not be raised.
CommandResult RunVerifyRotation(const CommandHost& host, const EtcdReader* etcd);

}  // namespace baokms::supervisor
