// The SIGSYS handler of a confined child: says which system call its filter refused and ends the
// process. After a plain kill the parent would learn nothing but the signal.

#pragma once

#include "common/base/result.h"

namespace baokms::ipc {

// Installs the handler, which sends SyscallRefused on `supervisor_channel` and exits with
// ExitCode::kRefusedSyscall. Call it once, before the filter; rt_sigaction is in no filter, so
// nothing can replace it afterwards. The descriptor must stay open for the process's life.
Status ReportRefusedSyscalls(int supervisor_channel);

}  // namespace baokms::ipc
