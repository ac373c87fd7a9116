// What has to hold between keys.

#pragma once

#include <span>
#include <vector>

#include "supervisor/config/document.h"

namespace baokms::supervisor {

// Checks every relation whose keys are all free of earlier problems.
std::vector<Problem> CheckRelations(const ConfigDocument& document,
                                    std::span<const Problem> earlier);

}  // namespace baokms::supervisor
