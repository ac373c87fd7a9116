// Asks OpenBao about the Transit key on behalf of a command: with the same spawner, workers, agent
// and filters as `serve`, for as long as one question takes.

#pragma once

#include "supervisor/config/serve_options.h"
#include "supervisor/state_commands/live_key.h"

namespace baokms::supervisor {

// A ReadLiveKey. The metadata is believed only when a second worker reads the same; where one
// worker is all that is configured, that one reads twice.
LiveKey AskForKey(const ServeOptions& options);

}  // namespace baokms::supervisor
