// Starts the spawner with everything that it will ever give to the children.

#pragma once

#include <sys/types.h>

#include "common/base/result.h"
#include "common/base/unique_fd.h"

namespace baokms::supervisor {

// The programs of the spawner and of the children that it starts: O_PATH descriptors, for
// execveat(2).
struct HelperPrograms {
  UniqueFd spawner;
  UniqueFd worker;
  UniqueFd agent;
  // The provider's user owns one of them, as in the build folder of a developer, and an owner can
  // always obtain the permission to read.
  bool readable = false;
};

// The sealed set-ups that the spawner receives at its start; closed in this process afterwards.
struct SpawnerInputs {
  UniqueFd spawner_setup;
  UniqueFd worker_setup;
  UniqueFd agent_setup;
};

// The spawner, a child of this process that nobody has waited for.
struct SpawnerProcess {
  UniqueFd channel;
  pid_t pid = 0;
};

// Must run before this process has a second thread.
Result<SpawnerProcess> StartSpawner(SpawnerInputs inputs, const HelperPrograms& programs);

}  // namespace baokms::supervisor
