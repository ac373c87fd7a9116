// Generates documents from the table: docs/config.md, examples, and the JSON Schema.

#pragma once

#include <string>

namespace baokms::supervisor {

// Returns Markdown with a newline at the end. A test compares it with docs/config.md byte for byte.
std::string ReferenceMarkdown();

// Returns the configuration as a JSON Schema (draft 2020-12), for editors and CI checks of
// configuration files, indented by two spaces, with a newline at the end. It covers keys, types,
// ranges and required keys; relations between keys are left to validate.h.
std::string JsonSchema();

enum class ExampleKind { kJwtFile, kPkcs11 };

// Returns the smallest usable configuration file: the required keys with their example values.
std::string ExampleYaml(ExampleKind kind);

}  // namespace baokms::supervisor
