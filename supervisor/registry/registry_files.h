// The two files of the registry as files: read and parsed, written in the order that a power cut
// can not hurt. Whether the two fit together, and what may follow what, is judged elsewhere.

#pragma once

#include <optional>
#include <string>

#include "common/base/result.h"
#include "common/contract/checkpoint.h"
#include "common/contract/registry.h"
#include "supervisor/registry/state_directory.h"

namespace baokms::supervisor {

// "<state file>.checkpoint", in the same directory.
[[nodiscard]] std::string CheckpointName(const StateDirectory& directory);

// The state file's text as it is on disk, of at most contract::kMaxStateFileBytes. Empty: no file.
[[nodiscard]] Result<std::optional<std::string>> ReadStateText(const StateDirectory& directory);

// Empty: no such file. kInvalidArgument: it breaks the format; other codes: the file system does
// not give it to us, or not safely.
[[nodiscard]] Result<std::optional<contract::RegistryState>> ReadState(
    const StateDirectory& directory);
[[nodiscard]] Result<std::optional<contract::Checkpoint>> ReadCheckpoint(
    const StateDirectory& directory);

// Replaces the checkpoint, or state file and checkpoint in this order. The caller holds the
// StateLock. After a failure each file is the old or the new one.
[[nodiscard]] Status WriteCheckpoint(const StateDirectory& directory,
                                     const contract::Checkpoint& checkpoint);
[[nodiscard]] Status WriteRegistry(const StateDirectory& directory,
                                   const contract::RegistryState& state);

}  // namespace baokms::supervisor
