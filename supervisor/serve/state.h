// The state directory while `serve` uses it: locked before anything is read, then loaded and
// checked.

#pragma once

#include <memory>
#include <optional>

#include "common/base/result.h"
#include "supervisor/config/config.h"
#include "supervisor/registry/file_ops.h"
#include "supervisor/registry/registry_store.h"
#include "supervisor/registry/state_lock.h"
#include "supervisor/serve/start_failure.h"

namespace baokms::supervisor {

// Holds the lock for its lifetime. Must not be moved, because lock and store refer to `ops`.
struct LockedState {
  SystemFileOps ops;
  std::optional<StateLock> lock;
  // Whether the lock file names this process. A failure need only be reported, because a full disk
  // must not keep a node from starting.
  Status pid_written;
  std::unique_ptr<RegistryStore> store;
};

// Takes the lock and loads the registry. The failure names the file, what is wrong with it and what
// to do.
Started<std::unique_ptr<LockedState>> OpenLockedState(const Config& config);

}  // namespace baokms::supervisor
