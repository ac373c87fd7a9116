// The input of every operator command: the configuration, and the function that reads the key from
// OpenBao.

#pragma once

#include <optional>

#include "common/contract/registry.h"
#include "supervisor/config/serve_options.h"
#include "supervisor/state_commands/live_key.h"
#include "supervisor/state_commands/state_access.h"

namespace baokms::supervisor {

struct CommandHost {
  const ServeOptions& options;
  const ReadLiveKey& read_live_key;
};

// The hash that the operator reviewed. With it the plan is applied; without it nothing is written.
using ReviewedHash = std::optional<contract::StateHash>;

inline Intent IntentOf(const ReviewedHash& reviewed) {
  return reviewed ? Intent::kApply : Intent::kPlan;
}

}  // namespace baokms::supervisor
