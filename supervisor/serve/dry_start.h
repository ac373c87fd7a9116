// Starts the processes of a provider to look at them: with the set-ups, users and filters of
// `serve`, but without state, clients, OpenBao or a login.

#pragma once

#include <sys/types.h>

#include <functional>
#include <optional>
#include <string>

#include "supervisor/config/serve_options.h"
#include "supervisor/serve/start_failure.h"

namespace baokms::supervisor {

// Called while the processes run, with the process id of their supervisor and what it reports
// (IsolationBody(), as JSON).
using InspectTree = std::function<void(pid_t supervisor, const std::string& isolation)>;

// Starts the processes below a forked supervisor, calls `inspect` once each of them has reported,
// and ends them. Returns why they did not start. Must be called while this process has one thread.
std::optional<StartFailure> DryStart(const ServeOptions& options, const InspectTree& inspect);

}  // namespace baokms::supervisor
