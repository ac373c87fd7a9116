// The state directory as a command uses it: opened, locked when it is to be written, read, and
// written once at the end. The provider must be stopped for that: it holds the same lock.

#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <variant>

#include "common/base/result.h"
#include "common/contract/checkpoint.h"
#include "common/contract/registry.h"
#include "supervisor/registry/file_ops.h"
#include "supervisor/registry/state_directory.h"
#include "supervisor/registry/state_lock.h"

namespace baokms::supervisor {

// A plan reads only; applying it takes the lock first.
enum class Intent : std::uint8_t { kPlan, kApply };

class StateAccess final {
 public:
  // Opens the directory of the absolute `state_path`, and locks it to apply. The text says why that
  // is not possible and what to do.
  static std::variant<std::unique_ptr<StateAccess>, std::string> Open(const std::string& state_path,
                                                                      Intent intent);

  StateAccess(const StateAccess&) = delete;
  StateAccess& operator=(const StateAccess&) = delete;
  ~StateAccess() = default;

  [[nodiscard]] const StateDirectory& directory() const { return *directory_; }

  [[nodiscard]] Intent intent() const { return intent_; }

  // Makes `next` the registry: state file, then checkpoint, both durable. `last` is the checkpoint
  // of the state that `next` follows, if it follows one: it is written first when it is not there
  // yet, so that a power cut never leaves a state two generations ahead of its checkpoint. Only to
  // apply. Empty on success, else what happened.
  [[nodiscard]] std::string Write(const contract::RegistryState& next,
                                  const std::optional<contract::Checkpoint>& last) const;

 private:
  explicit StateAccess(Intent intent) : intent_(intent) {}

  [[nodiscard]] Status WriteInOrder(const contract::RegistryState& next,
                                    const std::optional<contract::Checkpoint>& last) const;

  Intent intent_;
  SystemFileOps ops_;
  std::optional<StateDirectory> directory_;
  std::optional<StateLock> lock_;
};

}  // namespace baokms::supervisor
