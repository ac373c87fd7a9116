// The relations between keys that a configuration must satisfy.

#pragma once

#include <span>
#include <vector>

#include "supervisor/config/document.h"

namespace baokms::supervisor {

// Checks every relation whose keys have no earlier problem.
std::vector<Problem> CheckRelations(const ConfigDocument& document,
                                    std::span<const Problem> earlier);

}  // namespace baokms::supervisor
