#include "supervisor/serve/state.h"

#include <memory>
#include <optional>
#include <utility>
#include <variant>

#include "common/base/result.h"
#include "supervisor/config/config.h"
#include "supervisor/config/derived.h"
#include "supervisor/registry/local_registry.h"
#include "supervisor/registry/registry_store.h"
#include "supervisor/registry/state_directory.h"
#include "supervisor/registry/state_lock.h"
#include "supervisor/serve/start_failure.h"

namespace baokms::supervisor {

std::variant<std::unique_ptr<LockedState>, StartFailure> LockedState::Open(const Config& config) {
  std::unique_ptr<LockedState> state(new LockedState());
  Result<StateDirectory> directory = StateDirectory::Open(state->ops_, config.state.path);
  if (!directory) {
    return Failure("open the state directory", directory.error());
  }
  Result<StateLock> lock = StateLock::Acquire(state->ops_, *directory);
  if (!lock) {
    return StartFailure{
        .exit_code = 5,
        .line = DescribeLockFailure(state->ops_, *directory, config.state.path, lock.error())};
  }
  state->pid_written_ = lock->WritePid(state->ops_);
  state->lock_ = std::move(*lock);
  state->store_ = std::make_unique<RegistryStore>(std::move(*directory), config.state.path);
  const std::optional<RegistryProblem> problem = state->store_->Load(IdentityOf(config));
  if (problem) {
    return StartFailure{.exit_code = 5, .line = Describe(*problem)};
  }
  return state;
}

}  // namespace baokms::supervisor
