// The first steps of every child program before it parses any input, identical for worker and auth
// agent and in a security-critical order (docs/architecture.md); and the exit code of its last
// step.

#pragma once

#include <sys/resource.h>

#include <functional>
#include <string_view>

#include "common/base/error.h"
#include "common/base/result.h"
#include "common/base/unique_fd.h"
#include "ipc/child_descriptors.h"

namespace baokms::ipc {

// Implements main() of a program that only another one of this project starts: without arguments,
// and with a descriptor kSupervisorChannel. Runs `run` and returns its exit code; started in any
// other way it says so on standard error and returns EX_USAGE (sysexits.h).
int RunUnlessByHand(std::string_view program, int argument_count, const std::function<int()>& run);

// For code, libraries, a stack and at most 128 MiB of data.
inline constexpr rlim_t kAddressBytes = rlim_t{512} << 20U;

// The resources that a child needs from the kernel; any higher use indicates a bug or an attack.
struct ChildLimits {
  const char* process_name = nullptr;  // at most 15 characters (prctl(2), PR_SET_NAME)
  int fixed_descriptors = 0;           // inherits the descriptors 0 to this - 1
  rlim_t open_files = 0;
  rlim_t data_bytes = 0;  // RLIMIT_DATA: private writable memory
  // RLIMIT_AS: memory of every kind, for what data_bytes does not count. Memory that is only read
  // costs page tables, 4 KiB of the node for each 2 MiB.
  rlim_t address_bytes = RLIM_INFINITY;
  rlim_t file_bytes = 0;  // RLIMIT_FSIZE: the largest file it may write
};

// The child's own /proc files, opened while that is still possible. The supervisor reads them
// later, because no other process may open them once the child is not dumpable.
struct ProcFiles {
  UniqueFd status;
  UniqueFd statm;
};

// Opens the files of this process.
Result<ProcFiles> OpenProcFiles();

// Checks the inherited descriptors and closes all others, hardens the process, reserves the pages
// of its secrets, sets its limits, and ignores the signals that a service manager sends to a
// process group. No outside input may be read before this call.
Result<ProcFiles> BeginChild(const ChildLimits& limits);

// Returns the exit code of a child whose channel to the supervisor closed because of `why`.
ExitCode ExitCodeAfter(const Error& why);

}  // namespace baokms::ipc
