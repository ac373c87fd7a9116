// Converts a YAML tree into a ConfigDocument, strictly: only known keys, of the right type, each at
// most once.

#pragma once

#include <string_view>
#include <vector>

#include "supervisor/config/document.h"
#include "supervisor/config/schema_table.h"
#include "supervisor/config/yaml_tree.h"

namespace baokms::supervisor {

// Sets every key of the tree in the document. Returns all problems with it, in the order of the
// file. A key with a problem keeps its previous value.
std::vector<Problem> Decode(const YamlNode& tree, ConfigDocument& document);

// Sets one key from plain text, as in a flag, an environment variable or the default column of the
// table. Returns all problems with it.
std::vector<Problem> DecodeText(const SchemaRow& row,
                                std::string_view text,
                                ConfigDocument& document);

}  // namespace baokms::supervisor
