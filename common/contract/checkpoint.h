// The checkpoint beside the state file: the last generation that this node accepted. It reveals at
// start-up that a state file was rolled back or replaced by an unrelated one.

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

// Returns the checkpoint to write after `state` is on disk.
Checkpoint CheckpointOf(const RegistryState& state);

// Returns the exact bytes of the file: indented by two spaces, with a final newline.
std::string SerializeCheckpoint(const Checkpoint& checkpoint);

// Parses a file of at most kMaxCheckpointFileBytes with any whitespace.
Result<Checkpoint> ParseCheckpoint(std::string_view text);

// The result of comparing the two files.
enum class CheckpointVerdict : std::uint8_t {
  kNotFound,         // neither exists: the first state may be created
  kAccepted,         // they match
  kWriteCheckpoint,  // state accepted; the checkpoint is missing or one linked generation behind
  kRollback,         // state missing, older, skipping or unlinked: the program must not start
};

// Compares the files; nullptr means that a file does not exist. A file that exists but cannot be
// parsed must not be passed as nullptr.
CheckpointVerdict CompareWithCheckpoint(const RegistryState* state, const Checkpoint* checkpoint);

}  // namespace baokms::contract
