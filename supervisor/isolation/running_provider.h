// Finds the provider that runs with a configuration, and asks it what it reports about itself.

#pragma once

#include <sys/types.h>

#include <optional>
#include <string>

namespace baokms::supervisor {

// Returns the process that `serve` recorded in the lock file of this state file; nothing if it has
// ended.
std::optional<pid_t> FindRunningProvider(const std::string& state_path);

// Returns the member `isolation` of what GET /ready answers on server.healthAddress, as JSON; empty
// if there is no answer within a few seconds. The provider need not be ready.
std::string AskForIsolation(const std::string& health_address);

}  // namespace baokms::supervisor
