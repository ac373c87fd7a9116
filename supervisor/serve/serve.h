// `serve`: the provider itself, from the validated configuration to its end.

#pragma once

#include <string>

#include "supervisor/config/serve_options.h"

namespace baokms::supervisor {

// Runs until SIGTERM or SIGINT, or until the provider cannot continue. Writes one plain line to
// stderr if it cannot start. Returns the process's exit code: 0 after an orderly shutdown, 3 if
// systemd passed a socket other than the configured one, 5 for every other failure.
int RunServe(const ServeOptions& options);

// Writes why the configuration keeps the provider from starting to stderr. Waits for its reader at
// most LogWriter::kPatienceAtEnd, so that the exit code always reaches the service manager.
void RefuseServe(const std::string& problems);

}  // namespace baokms::supervisor
