// What SIGHUP may change: which keys are applied, which are sealed at start and reject the whole
// reload, and which only need a restart (docs/config.md#reload).

#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "supervisor/config/serve_options.h"

namespace baokms::supervisor {

struct ReloadPlan {
  std::vector<std::string_view> applied;  // changed and applied
  std::vector<std::string_view> sealed;   // changed, but fixed at the start: nothing is applied
  std::vector<std::string_view> ignored;  // changed; takes effect after a restart
};

// Compares by value, key by key.
[[nodiscard]] ReloadPlan PlanReload(const ServeOptions& running, const ServeOptions& next);

}  // namespace baokms::supervisor
