// config, config schema, config reference, policy openbao, and what `serve` and the commands that
// ask OpenBao start with.

#pragma once

#include <optional>
#include <string>
#include <vector>

#include "supervisor/cli/exit_code.h"
#include "supervisor/cli/report.h"
#include "supervisor/config/load.h"
#include "supervisor/config/problem.h"
#include "supervisor/config/serve_options.h"

namespace baokms::supervisor {

// The lines of the `config` command. The fingerprint is left out while the identity is incomplete.
Facts ConfigFacts(const Config& config);

struct CheckedConfig {
  std::optional<ServeOptions> options;
  // Why there are no options.
  std::vector<Problem> problems;
};

// Loads, validates, and checks this host's files. Fills in everything but the build.
CheckedConfig PrepareServe(const LoadOptions& options);

// Loads and validates; of this host it wants the CA bundle alone, so that a command can run where
// the provider can not.
CheckedConfig PrepareInquiry(const LoadOptions& options);

}  // namespace baokms::supervisor
