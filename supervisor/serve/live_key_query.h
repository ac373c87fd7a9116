// Reads the Transit key's metadata from OpenBao on behalf of a command: with the same spawner,
// workers, agent and filters as `serve`, for the duration of one query.

#pragma once

#include <string>

#include "proto/ipc.pb.h"
#include "supervisor/config/serve_options.h"
#include "supervisor/state_commands/live_key.h"

namespace baokms::supervisor {

// Implements ReadLiveKey. The metadata is accepted only if a second worker reads the same; if only
// one worker is configured, that worker reads twice.
LiveKey AskForKey(const ServeOptions& options);

// Describes what is wrong with one read; empty if nothing is. `agent` is the agent's last report:
// if the worker got no token, its login's outcome is the cause.
std::string DescribeReadFailure(const ipc::MetadataAnswer& answer, const ipc::AgentStatus& agent);

}  // namespace baokms::supervisor
