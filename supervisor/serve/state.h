// The state directory as `serve` holds it: locked before anything is read, loaded and judged.

#pragma once

#include <memory>
#include <optional>
#include <variant>

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

 private:
  LockedState() = default;

  SystemFileOps ops_;
  std::optional<StateLock> lock_;
  std::unique_ptr<RegistryStore> store_;
};

}  // namespace baokms::supervisor
