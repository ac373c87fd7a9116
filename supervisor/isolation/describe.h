// The facts about a process as one line of text.

#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "supervisor/isolation/observation.h"

namespace baokms::supervisor {

[[nodiscard]] std::string Join(const std::vector<std::string>& parts, std::string_view between);

// Returns the texts in their order, each once.
[[nodiscard]] std::vector<std::string> Unique(std::vector<std::string> texts);

// Returns ids, capabilities, filters, descriptors by kind, limits and memory.
[[nodiscard]] std::string DescribeProcess(const ProcessView& process,
                                          const IsolationObservation& observation);

// The same without what changes while nothing happens: connections and locked memory.
[[nodiscard]] std::string DescribeLasting(ProcessView process,
                                          const IsolationObservation& observation);

}  // namespace baokms::supervisor
