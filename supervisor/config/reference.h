// Generates docs/config.md from the table.

#pragma once

#include <string>

namespace baokms::supervisor {

// Returns Markdown with a newline at the end. A test compares it with docs/config.md byte for byte.
std::string ReferenceMarkdown();

enum class ExampleKind { kJwtFile, kPkcs11 };

// Returns the smallest usable configuration file: the required keys with their example values.
std::string ExampleYaml(ExampleKind kind);

}  // namespace baokms::supervisor
