// What the supervisor may ask of the kernel once it serves.

#pragma once

#include <cstdint>

#include "common/base/result.h"
#include "common/base/seccomp_policy.h"

namespace baokms::supervisor {

// Whether the supervisor may bind the KMS socket again after its file or directory was lost.
enum class ListenerRights : std::uint8_t {
  // No new listener, no local socket: with a socket that systemd owns, and for commands.
  kNone,
  // socket(AF_UNIX), bind, listen and a change of the socket's group. bind(2) cannot be limited to
  // a family or a path, so this also permits a TCP listener; docs/security.md says what that means.
  kBindKmsSocket,
};

// The policy as data, so that a test can print it, freeze it and try to break it. What it refuses
// fails with EPERM and a kernel log line: ending the supervisor would end every API server's reads.
Result<SeccompPolicy> BuildSupervisorPolicy(ListenerRights rights);

}  // namespace baokms::supervisor
