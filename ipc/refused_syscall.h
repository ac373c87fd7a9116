// The SIGSYS handler of a confined child: reports which system call the filter refused, and ends
// the process. If the filter killed the process directly, its parent would learn only the signal.

#pragma once

#include <cstdint>

#include "common/base/result.h"

namespace baokms::ipc {

// Installs the handler, which sends SyscallRefused on `supervisor_channel` and exits with
// ExitCode::kRefusedSyscall. Call it once, before the filter is installed; no filter allows
// rt_sigaction, so the handler cannot be replaced afterwards. The descriptor must stay open for the
// lifetime of the process.
Status ReportRefusedSyscalls(int supervisor_channel);

// Proves that the filter of this process refuses a call, by making it. The arguments are invalid,
// so that a call which is let through has no effect. A process that left its own filter out would
// notice nothing else: it inherits that of the spawner, which permits more. Returns `number`;
// kFailedPrecondition if the call was not refused. Call it after ReportRefusedSyscalls(), with a
// call that the inherited filters permit.
Result<std::uint32_t> ProveRefused(long number);

}  // namespace baokms::ipc
