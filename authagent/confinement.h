// The limits and filters of the agent, as its set-up determines them, for main() to apply in order.

#pragma once

#include <cstdint>

#include "authagent/agent.h"
#include "common/base/result.h"
#include "ipc/child_process.h"
#include "proto/ipc.pb.h"
#include "proto/setup.pb.h"

namespace baokms::authagent {

[[nodiscard]] ipc::ChildLimits LimitsOf(const ipc::AgentSetup& setup);

// Prevents a PKCS#11 module from changing files outside its state directory. Call it before any
// thread exists. Returns Landlock's ABI version, or 0 where Landlock is not in force.
Result<std::uint32_t> RestrictModuleFiles(const ipc::AgentSetup& setup);

// Installs the filter for the start: the only one with a JWT, the first one with a PKCS#11 module.
// Returns the report about it.
Result<ipc::ConfinementReport> EnterFirstFilter(const ipc::AgentSetup& setup);

// Returns the function that installs the narrow filter once the module is open.
[[nodiscard]] Narrow NarrowingOf(const ipc::AgentSetup& setup);

}  // namespace baokms::authagent
