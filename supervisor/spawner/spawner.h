// The spawner process: starts and kills the two child programs for the supervisor, and nothing
// else. It also makes the channels between the agent and the workers and gives both ends away, so
// the supervisor never holds one.

#pragma once

namespace baokms::supervisor {

// Runs until the supervisor is gone; returns the process's exit code.
int RunSpawner();

}  // namespace baokms::supervisor
