#include "supervisor/serve/state.h"

#include <utility>

#include "supervisor/config/derived.h"
#include "supervisor/registry/local_registry.h"
#include "supervisor/registry/state_directory.h"

namespace baokms::supervisor {

Started<std::unique_ptr<LockedState>> OpenLockedState(const Config& config) {
  auto state = std::make_unique<LockedState>();
  StateDirectory directory = BAOKMS_TRY(
      Step("open the state directory", StateDirectory::Open(state->ops, config.state.path)));
  Result<StateLock> lock = StateLock::Acquire(state->ops, directory);
  if (!lock) {
    return StartFailure{
        .line = DescribeLockFailure(state->ops, directory, config.state.path, lock.error())};
  }
  state->pid_written = lock->WritePid(state->ops);
  state->lock = std::move(*lock);
  state->store = std::make_unique<RegistryStore>(std::move(directory), config.state.path);
  if (const auto problem = state->store->Load(IdentityOf(config))) {
    return StartFailure{.line = Describe(*problem)};
  }
  return state;
}

}  // namespace baokms::supervisor
