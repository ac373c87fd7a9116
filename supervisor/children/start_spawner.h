// Starts the spawner: opens the three programs that are installed beside this one and executes the
// spawner's.

#pragma once

#include "common/base/result.h"
#include "common/base/unique_fd.h"

namespace baokms::supervisor {

// The sealed set-ups that the spawner receives at its start; closed in this process afterwards.
struct SpawnerInputs {
  UniqueFd spawner_setup;
  UniqueFd worker_setup;
  UniqueFd agent_setup;
};

// Returns the channel to the spawner. Must run before this process has a second thread. kNotFound:
// bao-kms-spawner, bao-kms-worker or bao-kms-authagent is not beside this program's own file.
Result<UniqueFd> StartSpawner(SpawnerInputs inputs);

}  // namespace baokms::supervisor
