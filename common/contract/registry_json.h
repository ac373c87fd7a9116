// The registry as JSON: the text that is hashed and the text of the state file. Both reading and
// writing of the format are implemented here.

#pragma once

#include <string>
#include <string_view>

#include "common/base/result.h"
#include "common/contract/registry.h"

namespace baokms::contract {

// Returns compact Go JSON of everything except the hash itself.
std::string HashBody(const RegistryContents& contents);

// Returns "krs1." and the hash of HashBody().
StateHash HashContents(const RegistryContents& contents);

// Returns the exact bytes of the state file: indented by two spaces, with a final newline.
std::string SerializeState(const RegistryState& state);

// Parses a state file of at most kMaxStateFileBytes, with any whitespace and order of members, and
// applies every rule. Files of the older schema v1alpha1 are refused.
Result<RegistryState> ParseState(std::string_view text);

// The contents of a state file of schema v1alpha1. That schema does not name the configuration it
// belongs to; `contents` has the fingerprint that the caller binds it to.
struct LegacyState {
  RegistryContents contents;
  StateHash current_hash;  // as computed by the old schema
};

// Parses a file of schema v1alpha1 by the rules of ParseState(), including its own hash. Files of
// the current schema are refused.
Result<LegacyState> ParseLegacyState(std::string_view text, const IdentityFingerprint& bound_to);

}  // namespace baokms::contract
