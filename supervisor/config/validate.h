// Checks whether a loaded configuration can be used: every value by its rule, then the relations.

#pragma once

#include <span>
#include <vector>

#include "supervisor/config/document.h"

namespace baokms::supervisor {

// Returns all problems of the document, ordered by source and position: `earlier` (those of
// loading) and what validation adds for keys without an earlier problem. Reads no file and queries
// no name service.
std::vector<Problem> Validate(const ConfigDocument& document, std::span<const Problem> earlier);

// Returns the violations of relations between keys. Examines only keys without an earlier problem.
// Part of Validate().
std::vector<Problem> CheckRelations(const ConfigDocument& document,
                                    std::span<const Problem> earlier);

// Returns warnings about settings that are valid but probably unintended. Never a reason to fail.
std::vector<Problem> Warnings(const ConfigDocument& document);

}  // namespace baokms::supervisor
