// Generates documents from the table: docs/config.md, examples, and the JSON Schema.

#pragma once

#include <string>

#include "supervisor/config/auth_method.h"

namespace baokms::supervisor {

// Returns Markdown with a newline at the end. A test compares it with docs/config.md byte for byte.
std::string ReferenceMarkdown();

// Returns the configuration as a JSON Schema (draft 2020-12), for editors and CI checks of
// configuration files, indented by two spaces, with a newline at the end. It covers keys, types,
// ranges and required keys; relations between keys are left to validate.h.
std::string JsonSchema();

// Returns the smallest usable configuration file with this method: the required keys with their
// example values.
std::string ExampleYaml(AuthMethod method);

}  // namespace baokms::supervisor
