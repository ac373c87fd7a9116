// What docs/security.md promises about the isolation of the processes, each as a function of what
// was observed.

#pragma once

#include <span>
#include <string>
#include <string_view>

#include "supervisor/isolation/observation.h"
#include "supervisor/state_commands/check_report.h"

namespace baokms::supervisor {

// The verdict about one promise and the reason for it.
struct Verdict {
  CheckStatus status = CheckStatus::kPass;
  std::string message{};
};

struct Promise {
  std::string_view id;     // such as "promise.filters"
  std::string_view title;  // the promise as a short sentence
  Verdict (*judge)(const IsolationObservation&);
};

// In the order of the report.
[[nodiscard]] std::span<const Promise> Promises();

// Adds a row of facts for each process and a row for each promise.
void AddVerdicts(const IsolationObservation& observation, CheckReport& report);

}  // namespace baokms::supervisor
