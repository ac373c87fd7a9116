// `serve`: the provider itself, from the validated configuration to its end.

#pragma once

#include "supervisor/config/serve_options.h"

namespace baokms::supervisor {

// Runs until SIGTERM or SIGINT, or until the provider cannot go on. Writes one plain line to stderr
// when it cannot start. Returns the process's exit code: 0 after an ordered end, 3 for a socket
// that systemd passed and that is not the configured one, 5 for everything else.
int RunServe(const ServeOptions& options);

}  // namespace baokms::supervisor
