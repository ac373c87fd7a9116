// The system calls that the supervisor may make once it serves.

#pragma once

#include <sys/syscall.h>
#include <sys/types.h>

#include <cstdint>

#include "common/base/result.h"
#include "common/base/seccomp_policy.h"

namespace baokms::supervisor {

// Whether the supervisor may bind the KMS socket again after its file or directory was lost.
enum class ListenerRights : std::uint8_t {
  // No new listener and no local socket: for a socket that systemd owns, and for commands.
  kNone,
  // socket(AF_UNIX), bind(2), listen(2) and a change of the socket's group. bind(2) cannot be
  // restricted to a family or a path, so this also permits a TCP listener; docs/security.md
  // describes the consequences.
  kBindKmsSocket,
};

// Builds the policy as data, so that a test can print it, compare it with a golden file and try to
// break it. A refused call fails with EPERM and a kernel log record: killing the supervisor would
// interrupt every API server's reads. `own_pid` is the only process that it may abort (abort(3)).
Result<SeccompPolicy> BuildSupervisorPolicy(ListenerRights rights, pid_t own_pid);

// The name under which the supervisor reports its filter.
inline constexpr const char* kSupervisorFilterName = "supervisor";

// The system call with which EnterSupervisorSandbox() proves that the filter is in force.
inline constexpr std::uint32_t kRefusedToSupervisor = SYS_getppid;

// Builds the policy for this process, enters it with all threads, and makes a call that it has to
// refuse. kFailedPrecondition: the call was not refused.
Status EnterSupervisorSandbox(ListenerRights rights);

}  // namespace baokms::supervisor
