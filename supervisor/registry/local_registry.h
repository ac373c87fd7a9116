// This node's registry as it is on disk: read once and checked; nothing is written.

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
  // The registry, if there is one and it may be used; `problem` is empty then.
  std::optional<contract::RegistryState> state;
  std::optional<contract::Checkpoint> checkpoint;
  // Why the registry on disk must not be used.
  std::optional<RegistryProblem> problem;
  bool state_file_exists = false;

  // Returns whether neither file exists.
  [[nodiscard]] bool IsAbsent() const;

  // Returns whether the checkpoint exists without its state file.
  [[nodiscard]] bool IsCheckpointAlone() const;
};

// Reads without a lock. A save by the running provider between the two reads is not mistaken for a
// rollback: the checkpoint is read first and may be one linked generation behind. `path` is the
// state file's path, for messages.
LocalRegistry ReadLocalRegistry(const StateDirectory& directory,
                                const std::string& path,
                                const contract::ConfigIdentity& identity);

// Like ReadLocalRegistry(), for the directory of `path`; without that directory there is no
// registry.
LocalRegistry ReadLocalRegistryAt(const std::string& path,
                                  const contract::ConfigIdentity& identity);

// Returns why a registry without a `state` cannot be used.
std::string WhyUnusable(const LocalRegistry& local);

// Returns "current", "behind", "missing" (no checkpoint), "absent" (neither file), or "" for a
// state that must not be used.
std::string_view CheckpointStatus(const LocalRegistry& local);

}  // namespace baokms::supervisor
