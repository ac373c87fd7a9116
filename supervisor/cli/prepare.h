// Prepares what `serve` and the commands that read the live key start with: a configuration that
// was loaded, validated and checked against this host.

#pragma once

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <vector>

#include "supervisor/config/document.h"
#include "supervisor/config/load.h"
#include "supervisor/config/serve_options.h"

namespace baokms::supervisor {

struct CheckedConfig {
  std::optional<ServeOptions> options;
  // Why there are no options.
  std::vector<Problem> problems;
};

// Which of this host's files and directories are checked.
enum class HostChecks : std::uint8_t {
  kAll,
  kCaBundles,  // so that a command can run where the provider cannot
};

// Loads and validates the configuration, and checks this host for a provider that runs as
// `own_user`, by default SupervisorUser(), unless the options are for another machine. Fills in
// everything except the build information.
CheckedConfig Prepare(const LoadOptions& options,
                      HostChecks checks,
                      std::optional<uid_t> own_user = std::nullopt);

}  // namespace baokms::supervisor
