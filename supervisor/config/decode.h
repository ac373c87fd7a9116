// From a YAML tree to a ConfigDocument, exactly: known keys, right types, each key once.

#pragma once

#include <string_view>
#include <vector>

#include "supervisor/config/document.h"
#include "supervisor/config/yaml_tree.h"

namespace baokms::supervisor {

// Sets every key of the tree in the document and returns what is wrong with it: all problems, in
// the order of the file. A key with a problem keeps the value it had.
std::vector<Problem> Decode(const YamlNode& tree, ConfigDocument& document);

// Sets one key from text that stands for itself, as in a flag, an environment variable or the
// default column of the table. Returns false when the text is no value of the key's type.
[[nodiscard]] bool SetFromText(std::string_view key, std::string_view text, Config& config);

}  // namespace baokms::supervisor
