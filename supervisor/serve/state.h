// The state directory as `serve` holds it: locked before anything is read, loaded and judged.

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

// Owns the lock for as long as it lives.
class LockedState final {
 public:
  // Locks and loads. The failure says what is wrong with which file and what to do.
  static std::variant<std::unique_ptr<LockedState>, StartFailure> Open(const Config& config);

  LockedState(const LockedState&) = delete;
  LockedState& operator=(const LockedState&) = delete;
  ~LockedState() = default;

  [[nodiscard]] RegistryStore& store() { return *store_; }

  // Whether the lock file says which process this is. A full disk must not keep a node from
  // starting, so a failure is only to be reported.
  [[nodiscard]] const Status& pid_written() const { return pid_written_; }

 private:
  LockedState() = default;

  SystemFileOps ops_;
  std::optional<StateLock> lock_;
  Status pid_written_;
  std::unique_ptr<RegistryStore> store_;
};

}  // namespace baokms::supervisor
