// What SIGHUP may change: which keys are re-read, which are sealed at start and refuse the whole
// reload, and which merely need a restart (docs/config.md#reload).

#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "supervisor/config/serve_options.h"

namespace baokms::supervisor {

struct ReloadPlan {
  std::vector<std::string_view> applied;  // changed and re-read
  std::vector<std::string_view> sealed;  // changed, but trusted since the start: nothing is applied
  std::vector<std::string_view> ignored;  // changed, in force after a restart
};

// Compares by value, key by key.
[[nodiscard]] ReloadPlan PlanReload(const ServeOptions& running, const ServeOptions& next);

}  // namespace baokms::supervisor
