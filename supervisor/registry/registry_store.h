// The registry on disk: loads the state file and its checkpoint, saves the next generation, and
// knows what to do when a save did not end well (docs/contract.md#checkpoint,
// docs/contract.md#durability). It decides nothing about keys.

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
#include "supervisor/registry/registry_problem.h"
#include "supervisor/registry/state_directory.h"

namespace baokms::supervisor {

// Not thread-safe. All calls block for the disk. Whoever calls Save() or FinishSave(), or Load()
// as the owner, must hold the StateLock.
class RegistryStore final {
 public:
  // `path` is that of the state file, for messages; its directory is `directory`.
  RegistryStore(StateDirectory directory, std::string path)
      : directory_(std::move(directory)), path_(std::move(path)) {}

  RegistryStore(const RegistryStore&) = delete;
  RegistryStore& operator=(const RegistryStore&) = delete;

  enum class LoadAs : std::uint8_t {
    kOwner,   // brings the checkpoint up to date when it is missing or one generation behind, and
              // makes both files durable, as they will be published
    kReader,  // writes nothing
  };

  // Reads and judges both files. Empty on success: current() is then the state, or empty when
  // neither file exists. Once only.
  [[nodiscard]] std::optional<RegistryProblem> Load(const contract::ConfigIdentity& identity,
                                                    LoadAs role);

  // What is known to be durable. Empty before the first state.
  [[nodiscard]] const std::optional<contract::RegistryState>& current() const { return current_; }

  // Makes `next` durable: state first, then checkpoint. It must follow current() (or be a first
  // generation). When writing fails, `next` is remembered as unfinished() and current() stays.
  // kFailedPrecondition while another save is unfinished or when `next` may not follow.
  [[nodiscard]] Status Save(const contract::RegistryState& next);

  // The state whose save failed.
  [[nodiscard]] const std::optional<contract::RegistryState>& unfinished() const {
    return unfinished_;
  }

  // Tries the unfinished save again, after checking that each file is the old or the intended
  // version. Success: current() is the intended state. Does nothing when nothing is unfinished.
  [[nodiscard]] Status FinishSave();

  // Both files still hold current(), so what was published is still what a restart would find.
  [[nodiscard]] bool HoldsCurrent() const;

 private:
  struct Files {
    std::optional<contract::RegistryState> state;
    std::optional<contract::Checkpoint> checkpoint;
  };

  [[nodiscard]] Status CheckIsOldOrIntended() const;
  [[nodiscard]] std::optional<RegistryProblem> Accept(Files files,
                                                      const contract::ConfigIdentity& identity,
                                                      LoadAs role);

  StateDirectory directory_;
  std::string path_;
  std::optional<contract::RegistryState> current_;
  std::optional<contract::RegistryState> unfinished_;
};

}  // namespace baokms::supervisor
