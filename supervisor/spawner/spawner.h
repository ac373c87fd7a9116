// The spawner process: starts and kills the two child programs for the supervisor, and nothing
// else. It keeps both ends of every agent-worker pair, so the supervisor never holds one. It is
// the supervisor's own program, executed again before any thread exists.

#pragma once

namespace baokms::supervisor {

// argv[0] that makes the program run as the spawner. Run by hand it ends at once: the descriptors
// of ipc/child_descriptors.h are missing.
inline constexpr const char* kSpawnerName = "bao-kms-spawner";

// Runs until the supervisor is gone; returns the process's exit code.
int RunSpawner();

}  // namespace baokms::supervisor
