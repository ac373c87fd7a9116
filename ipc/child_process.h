// The first steps of every child program, before it parses a byte: the same for worker and auth
// agent, in the order that is the security argument (docs/architecture.md); and the last one.

#pragma once

#include <sys/resource.h>

#include "common/base/error.h"
#include "common/base/result.h"
#include "common/base/unique_fd.h"
#include "ipc/child_descriptors.h"

namespace baokms::ipc {

// What a child needs of the kernel; anything above is a bug or an attack.
struct ChildLimits {
  const char* process_name = nullptr;  // at most 15 characters (prctl(2), PR_SET_NAME)
  int fixed_descriptors = 0;           // it is born with 0 .. this - 1
  rlim_t open_files = 0;
  rlim_t data_bytes = 0;  // RLIMIT_DATA: private writable memory
  rlim_t file_bytes = 0;  // RLIMIT_FSIZE: the largest file it may write
};

// The child's own /proc files, opened while it still can; the supervisor reads them later, because
// nobody else may once the process is not dumpable.
struct ProcFiles {
  UniqueFd status;
  UniqueFd statm;
  UniqueFd limits;
};

// Checks and closes descriptors, hardens the process, sets its limits, ignores the signals that a
// service manager sends to a group. Only after it is anything read or allocated from outside.
Result<ProcFiles> BeginChild(const ChildLimits& limits);

// How a child ends whose channel to the supervisor closed because of `why`.
ExitCode ExitCodeAfter(const Error& why);

}  // namespace baokms::ipc
