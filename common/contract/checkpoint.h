// The checkpoint beside the state file: the last generation this node has accepted. It makes a
// state file that was set back, or swapped for an unrelated one, visible at start.

#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "common/base/result.h"
#include "common/contract/registry.h"

namespace baokms::contract {

struct Checkpoint {
  std::uint64_t generation;
  StateHash current_hash;

  friend bool operator==(const Checkpoint&, const Checkpoint&) = default;
};

// The checkpoint to be written after `state` is on disk.
Checkpoint CheckpointOf(const RegistryState& state);

// The exact bytes of the file: two-space indented, with a final newline.
std::string SerializeCheckpoint(const Checkpoint& checkpoint);

// Reads a file of at most kMaxCheckpointFileBytes, however it is spaced.
Result<Checkpoint> ParseCheckpoint(std::string_view text);

// What the two files say together.
enum class CheckpointVerdict : std::uint8_t {
  kNotFound,         // neither exists: the first state may be made
  kAccepted,         // they agree
  kWriteCheckpoint,  // state accepted; the checkpoint is missing or one linked generation behind
  kRollback,         // state missing, older, skipping or unlinked: the program must not start
};

// nullptr: the file does not exist. A file that exists but does not parse must not come here.
CheckpointVerdict CompareWithCheckpoint(const RegistryState* state, const Checkpoint* checkpoint);

}  // namespace baokms::contract
