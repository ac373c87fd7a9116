// The state directory while `serve` uses it: locked before anything is read, then loaded and
// checked.

#pragma once

#include <memory>
#include <optional>
#include <variant>

#include "common/base/result.h"
#include "supervisor/config/config.h"
#include "supervisor/registry/file_ops.h"
#include "supervisor/registry/registry_store.h"
#include "supervisor/registry/state_lock.h"
#include "supervisor/serve/start_failure.h"

namespace baokms::supervisor {

// Holds the lock for its lifetime.
class LockedState final {
 public:
  // Takes the lock and loads the registry. The failure names the file, what is wrong with it and
  // what to do.
  static std::variant<std::unique_ptr<LockedState>, StartFailure> Open(const Config& config);

  LockedState(const LockedState&) = delete;
  LockedState& operator=(const LockedState&) = delete;
  ~LockedState() = default;

  [[nodiscard]] RegistryStore& store() { return *store_; }

  // Returns whether the lock file names this process. A failure need only be reported, because a
  // full disk must not keep a node from starting.
  [[nodiscard]] const Status& pid_written() const { return pid_written_; }

 private:
  LockedState() = default;

  SystemFileOps ops_;
  std::optional<StateLock> lock_;
  Status pid_written_;
  std::unique_ptr<RegistryStore> store_;
};

}  // namespace baokms::supervisor
