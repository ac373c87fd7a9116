// The SIGSYS handler of a confined child: reports which system call the filter refused, and ends
// the process. If the filter killed the process directly, its parent would learn only the signal.

#pragma once

#include "common/base/result.h"

namespace baokms::ipc {

// Installs the handler, which sends SyscallRefused on `supervisor_channel` and exits with
// ExitCode::kRefusedSyscall. Call it once, before the filter is installed; no filter allows
// rt_sigaction, so the handler cannot be replaced afterwards. The descriptor must stay open for the
// lifetime of the process.
Status ReportRefusedSyscalls(int supervisor_channel);

}  // namespace baokms::ipc
