// `probe`: asks a running provider through its socket, as kube-apiserver would. Needs no
// configuration and no credentials.

#pragma once

#include <chrono>
#include <optional>
#include <string>

#include "common/contract/key_id.h"
#include "supervisor/cli/report.h"

namespace baokms::supervisor {

struct ProbeOptions {
  // Absolute.
  std::string socket_path;
  // For everything together; above 0.
  std::chrono::nanoseconds timeout;
  std::optional<contract::KeyId> expected_key_id;
};

// Never repeats an error text of the server. Stops at the first check that fails.
Report RunProbe(const ProbeOptions& options);

}  // namespace baokms::supervisor
