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

// What a state file of schema v1alpha1 says. That schema does not name the configuration it belongs
// to; `contents` has the fingerprint that the caller wants it bound to.
struct LegacyState {
  RegistryContents contents;
  StateHash current_hash;  // as the old schema hashes it
};

// Reads a file of schema v1alpha1 by the rules of ParseState(), its own hash included. Files of the
// current schema are refused.
Result<LegacyState> ParseLegacyState(std::string_view text, const IdentityFingerprint& bound_to);

}  // namespace baokms::contract
