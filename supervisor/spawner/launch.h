// Between fork and exec: gives a child its fixed descriptors and a new environment, then executes
// its program from an open descriptor. And where the programs are.

#pragma once

#include <sys/types.h>

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "common/base/result.h"
#include "common/base/users.h"

namespace baokms::supervisor {

// Returns the directory in which the programs of this project are installed, which is that of this
// process's own program (proc(5), /proc/self/exe), with a trailing slash.
Result<std::string> OwnDirectory();

// What one child is started with. The caller keeps ownership of all descriptors.
struct LaunchPlan {
  const char* name = nullptr;    // argv[0]
  int program = -1;              // open executable; execveat(2) with AT_EMPTY_PATH
  int null = -1;                 // /dev/null, open for reading and writing; becomes 0, 1 and 2
  std::vector<int> descriptors;  // become 3, 4, 5, ... in this order
  std::vector<std::string> environment;
  // Not empty: a file that the child opens before it changes its user, and that becomes the
  // descriptor after those. /dev/null if it cannot be opened, or another user could have made it.
  std::string credential{};
  std::optional<UserIds> user{};  // to become; otherwise the child keeps user and capabilities
  bool keep_groups = false;       // with `user`: keeps this process's supplementary groups
};

// Returns the environment of a worker or the auth agent. Nothing is inherited: SSLKEYLOGFILE alone
// would make libcurl write TLS secrets to disk. The malloc tunables overwrite freed memory, in
// which libraries leave copies of secrets.
[[nodiscard]] std::vector<std::string> ChildEnvironment();

// Forks and executes the program; the child waits for no lock. Returns the child's pid. A child
// that cannot execute its program sends a StartFailure on its first descriptor, the channel to its
// supervisor, and exits with ExitCode::kStartFailed.
Result<pid_t> Launch(const LaunchPlan& plan);

}  // namespace baokms::supervisor
