// `serve`: the provider itself, from the validated configuration to its end.

#pragma once

#include "supervisor/config/serve_options.h"

namespace baokms::supervisor {

// Runs until SIGTERM or SIGINT, or until the provider cannot continue. Writes one plain line to
// stderr if it cannot start. Returns the process's exit code: 0 after an orderly shutdown, 3 if
// systemd passed a socket other than the configured one, 5 for every other failure.
int RunServe(const ServeOptions& options);

}  // namespace baokms::supervisor
