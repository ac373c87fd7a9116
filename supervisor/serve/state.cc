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

std::variant<std::unique_ptr<LockedState>, StartFailure> OpenLockedState(const Config& config) {
  auto state = std::make_unique<LockedState>();
  Result<StateDirectory> directory = StateDirectory::Open(state->ops, config.state.path);
  if (!directory) {
    return Failure("open the state directory", directory.error());
  }
  Result<StateLock> lock = StateLock::Acquire(state->ops, *directory);
  if (!lock) {
    return StartFailure{
        .exit_code = 5,
        .line = DescribeLockFailure(state->ops, *directory, config.state.path, lock.error())};
  }
  state->pid_written = lock->WritePid(state->ops);
  state->lock = std::move(*lock);
  state->store = std::make_unique<RegistryStore>(std::move(*directory), config.state.path);
  const std::optional<RegistryProblem> problem = state->store->Load(IdentityOf(config));
  if (problem) {
    return StartFailure{.exit_code = 5, .line = Describe(*problem)};
  }
  return state;
}

}  // namespace baokms::supervisor
