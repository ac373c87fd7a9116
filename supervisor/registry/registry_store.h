// The registry on disk: loads the state file and its checkpoint, saves the next generation, and
// recovers from a save that failed (docs/contract.md#checkpoint, docs/contract.md#durability). It
// decides nothing about keys.

#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "common/base/result.h"
#include "common/contract/checkpoint.h"
#include "common/contract/identity.h"
#include "common/contract/registry.h"
#include "supervisor/registry/local_registry.h"
#include "supervisor/registry/state_directory.h"

namespace baokms::supervisor {

// Not thread-safe. All calls block on disk I/O. The caller of Load(), Save() or FinishSave()
// must hold the StateLock.
class RegistryStore final {
 public:
  // `directory` holds the state file; `path` is the state file's path, for messages.
  RegistryStore(StateDirectory directory, std::string path)
      : directory_(std::move(directory)), path_(std::move(path)) {}

  RegistryStore(const RegistryStore&) = delete;
  RegistryStore& operator=(const RegistryStore&) = delete;

  // Reads and checks both files, updates a checkpoint that is missing or one generation behind, and
  // makes both files durable before they are published. Returns nothing on success: current() is
  // then the state, or empty if neither file exists. Must be called once.
  [[nodiscard]] std::optional<RegistryProblem> Load(const contract::ConfigIdentity& identity);

  // Returns the state that is known to be durable; empty before the first state.
  [[nodiscard]] const std::optional<contract::RegistryState>& current() const { return current_; }

  // Makes `next` durable: the state file first, then the checkpoint. `next` must follow current()
  // (or be a first generation). If writing fails, `next` is kept as unfinished() and current() does
  // not change. kFailedPrecondition: another save is unfinished, or `next` may not follow.
  [[nodiscard]] Status Save(const contract::RegistryState& next);

  // Returns the state whose save failed.
  [[nodiscard]] const std::optional<contract::RegistryState>& unfinished() const {
    return unfinished_;
  }

  // Retries the unfinished save, after checking that each file is the old or the intended version.
  // On success current() is the intended state. Does nothing if no save is unfinished.
  [[nodiscard]] Status FinishSave();

  // Returns whether both files still hold current(), so that a restart would load what was
  // published.
  [[nodiscard]] bool HoldsCurrent() const;

 private:
  [[nodiscard]] Status CheckIsOldOrIntended() const;

  StateDirectory directory_;
  std::string path_;
  std::optional<contract::RegistryState> current_;
  std::optional<contract::RegistryState> unfinished_;
};

}  // namespace baokms::supervisor
