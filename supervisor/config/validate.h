// Whether a loaded configuration can be used: every value by its rule, then the relations.

#pragma once

#include <span>
#include <vector>

#include "supervisor/config/document.h"

namespace baokms::supervisor {

// All problems of the document: `earlier` (those of loading) and what validation adds for keys that
// have none yet; by source and place in the file. Reads no file and no name service.
std::vector<Problem> Validate(const ConfigDocument& document, std::span<const Problem> earlier);

// What is legal but probably not meant. Never a reason to fail.
std::vector<Problem> Warnings(const ConfigDocument& document);

}  // namespace baokms::supervisor
