// docs/config.md, written from the table.

#pragma once

#include <string>

namespace baokms::supervisor {

// Markdown, with a newline at the end. A test compares docs/config.md with it byte for byte.
std::string ReferenceMarkdown();

enum class ExampleKind { kJwtFile, kPkcs11 };

// The smallest usable configuration file: the required keys, with their example values.
std::string ExampleYaml(ExampleKind kind);

}  // namespace baokms::supervisor
