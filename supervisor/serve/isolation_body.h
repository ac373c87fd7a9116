// What is in force for each process, as JSON: the member `isolation` of /ready, and what a dry
// start reports. Member names and their order are a public interface
// (docs/observability.md#health).

#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "supervisor/children/process_facts.h"
#include "supervisor/serve/isolation_facts.h"

namespace baokms::supervisor {

struct IsolationReport {
  IsolationFacts decided{};
  // Filters that every process has from a container or a service manager; empty: unknown.
  std::optional<std::uint32_t> inherited_filters{};
  std::vector<ProcessFacts> processes{};
};

[[nodiscard]] nlohmann::ordered_json IsolationBody(const IsolationReport& report);

}  // namespace baokms::supervisor
