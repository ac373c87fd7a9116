// A command's access to the state directory: opened, locked if it will be written, read, and
// written once at the end. The provider must be stopped for writing, because it holds the same
// lock.

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

// A plan only reads; applying it takes the lock first.
enum class Intent : std::uint8_t { kPlan, kApply };

class StateAccess final {
 public:
  // Opens the directory of the absolute `state_path`, and locks it for kApply. On failure the text
  // says why and what to do.
  static std::variant<std::unique_ptr<StateAccess>, std::string> Open(const std::string& state_path,
                                                                      Intent intent);

  StateAccess(const StateAccess&) = delete;
  StateAccess& operator=(const StateAccess&) = delete;
  ~StateAccess() = default;

  [[nodiscard]] const StateDirectory& directory() const { return *directory_; }

  [[nodiscard]] Intent intent() const { return intent_; }

  // Makes `next` the registry: state file, then checkpoint, both durable. `last` is the checkpoint
  // of the state that `next` follows, if any: it is written first if it is missing, so that a power
  // failure never leaves a state two generations ahead of its checkpoint. For kApply only. Returns
  // an empty text on success, otherwise what happened.
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
