// This node's registry as a command finds it: read once and checked; nothing is written.

#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "common/base/result.h"
#include "common/contract/checkpoint.h"
#include "common/contract/identity.h"
#include "common/contract/registry.h"
#include "supervisor/registry/registry_problem.h"
#include "supervisor/registry/state_directory.h"

namespace baokms::supervisor {

struct LocalRegistry {
  // There is one and it may be used: `problem` is empty then.
  std::optional<contract::RegistryState> state;
  std::optional<contract::Checkpoint> checkpoint;
  // Why what is on disk may not be used.
  std::optional<RegistryProblem> problem;
  bool state_file_exists = false;

  // Neither file exists.
  [[nodiscard]] bool IsAbsent() const;

  // The checkpoint outlived its state file.
  [[nodiscard]] bool IsCheckpointAlone() const;
};

// Reads without a lock: a save by the running provider between the two files is not mistaken for a
// rollback, as the checkpoint is read first and may be one linked generation behind. `path` is that
// of the state file, for messages.
LocalRegistry ReadLocalRegistry(const StateDirectory& directory,
                                const std::string& path,
                                const contract::ConfigIdentity& identity);

// The same for the directory of `path`; without that directory there is no registry.
LocalRegistry ReadLocalRegistryAt(const std::string& path,
                                  const contract::ConfigIdentity& identity);

// Why a registry without a `state` cannot be used.
std::string WhyUnusable(const LocalRegistry& local);

// "current", "behind", "missing" (no checkpoint), "absent" (neither file) or, for a state that may
// not be used, "".
std::string_view CheckpointStatus(const LocalRegistry& local);

}  // namespace baokms::supervisor
