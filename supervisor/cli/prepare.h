// What `serve` and the commands that read the live key start with: a configuration that was loaded,
// validated and checked against this host.

#pragma once

#include <optional>
#include <vector>

#include "supervisor/config/load.h"
#include "supervisor/config/problem.h"
#include "supervisor/config/serve_options.h"

namespace baokms::supervisor {

struct CheckedConfig {
  std::optional<ServeOptions> options;
  // Why there are no options.
  std::vector<Problem> problems;
};

// Loads, validates, and checks this host's files. Fills in everything but the build.
CheckedConfig PrepareServe(const LoadOptions& options);

// Loads and validates, and of this host's files checks only the CA bundles, so that a command can
// run where the provider cannot.
CheckedConfig PrepareLiveQuery(const LoadOptions& options);

}  // namespace baokms::supervisor
