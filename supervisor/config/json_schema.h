// The configuration as a JSON Schema (draft 2020-12), for editors and CI of those who write files.

#pragma once

#include <string>

namespace baokms::supervisor {

// Indented by two spaces, with a newline at the end. The schema knows keys, types, ranges and
// required keys; relations between keys are validate.h's.
std::string JsonSchema();

}  // namespace baokms::supervisor
