// The configuration as a JSON Schema (draft 2020-12), for editors and CI checks of configuration
// files.

#pragma once

#include <string>

namespace baokms::supervisor {

// Returns the schema, indented by two spaces, with a newline at the end. It covers keys, types,
// ranges and required keys; relations between keys are left to validate.h.
std::string JsonSchema();

}  // namespace baokms::supervisor
