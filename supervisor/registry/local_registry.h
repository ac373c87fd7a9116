// This node's registry as it is on disk, read once and checked, or why it cannot be used, described
// for the operator. Nothing is written.

#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "common/base/error.h"
#include "common/contract/checkpoint.h"
#include "common/contract/identity.h"
#include "common/contract/registry.h"
#include "supervisor/registry/state_directory.h"

namespace baokms::supervisor {

enum class RegistryFault : std::uint8_t {
  kUnreadable,   // it cannot be read, or not safely
  kCorrupt,      // it violates the format or its hash does not match
  kRolledBack,   // state and checkpoint are inconsistent
  kForeign,      // it was written for another identity
  kNotWritable,  // the checkpoint could not be updated
};

struct RegistryProblem {
  RegistryFault fault;
  std::string path;  // path of the file in question
  Error cause;
  // Replaces the text of `cause`, where that needs values of the registry.
  std::string detail{};
};

// Returns the identities that a registry was written for and is used with, by their fingerprints:
// "file cfg1.X, configuration cfg1.Y".
std::string DescribeIdentities(const contract::RegistryState& state,
                               const contract::ConfigIdentity& identity);

// Returns one line without a newline. It contains a local path: for the console and the start-up
// log only, never for clients or /ready.
std::string Describe(const RegistryProblem& problem);

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
