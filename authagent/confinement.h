// What the agent's set-up says about its own limits and filters, for main() to apply in order.

#pragma once

#include <cstdint>

#include "authagent/agent.h"
#include "common/base/result.h"
#include "ipc/child_process.h"
#include "proto/ipc.pb.h"
#include "proto/setup.pb.h"

namespace baokms::authagent {

[[nodiscard]] ipc::ChildLimits LimitsOf(const ipc::AgentSetup& setup);

// Keeps a PKCS#11 module from changing files outside its state directory; to be called before any
// thread exists. Gives Landlock's ABI, 0 where it is not in force.
Result<std::uint32_t> RestrictModuleFiles(const ipc::AgentSetup& setup);

// Enters the filter for the start: the only one for a JWT, the first one for a PKCS#11 module.
// Gives what there is to report about it.
Result<ipc::ConfinementReport> EnterFirstFilter(const ipc::AgentSetup& setup);

// Enters the rest, once the module is open.
[[nodiscard]] Narrow NarrowingOf(const ipc::AgentSetup& setup);

}  // namespace baokms::authagent
