// The spawner process: starts and kills the two child programs for the supervisor, and nothing
// else. It keeps both ends of every agent-worker pair, so the supervisor never holds one.

#pragma once

namespace baokms::supervisor {

// Runs until the supervisor is gone; returns the process's exit code.
int RunSpawner();

}  // namespace baokms::supervisor
