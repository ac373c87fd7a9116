// The registry's two files: reads and parses them, and writes them in an order that survives a
// power failure. Other code checks whether the two are consistent and which state may follow.

#pragma once

#include <optional>
#include <string>

#include "common/base/result.h"
#include "common/contract/checkpoint.h"
#include "common/contract/registry.h"
#include "supervisor/registry/state_directory.h"

namespace baokms::supervisor {

// Returns "<state file>.checkpoint", in the same directory.
[[nodiscard]] std::string CheckpointName(const StateDirectory& directory);

// Returns the text of the state file, at most contract::kMaxStateFileBytes. Empty: no file.
[[nodiscard]] Result<std::optional<std::string>> ReadStateText(const StateDirectory& directory);

// Read and parse a file. Empty: no such file. kInvalidArgument: it violates the format; other
// codes: it cannot be read, or not safely.
[[nodiscard]] Result<std::optional<contract::RegistryState>> ReadState(
    const StateDirectory& directory);
[[nodiscard]] Result<std::optional<contract::Checkpoint>> ReadCheckpoint(
    const StateDirectory& directory);

// Replace the checkpoint, or the state file and then the checkpoint. The caller must hold the
// StateLock. After a failure each file is either the old or the new one.
[[nodiscard]] Status WriteCheckpoint(const StateDirectory& directory,
                                     const contract::Checkpoint& checkpoint);
[[nodiscard]] Status WriteRegistry(const StateDirectory& directory,
                                   const contract::RegistryState& state);

}  // namespace baokms::supervisor
