// The registry as JSON: the text that is hashed and the text of the state file. Reading and writing
// of the one format are here together.

#pragma once

#include <string>
#include <string_view>

#include "common/base/result.h"
#include "common/contract/registry.h"

namespace baokms::contract {

// Compact Go JSON of everything but the hash itself.
std::string HashBody(const RegistryContents& contents);

// "krs1." and the hash of HashBody().
StateHash HashContents(const RegistryContents& contents);

// The exact bytes of the state file: two-space indented, with a final newline.
std::string SerializeState(const RegistryState& state);

// Reads a state file of at most kMaxStateFileBytes, however it is spaced and whatever the order of
// its members, and applies every rule. Files of the older schema v1alpha1 are refused.
Result<RegistryState> ParseState(std::string_view text);

}  // namespace baokms::contract
