// What the supervisor may ask of the kernel once it serves.

#pragma once

#include "common/base/result.h"
#include "common/base/seccomp_policy.h"

namespace baokms::supervisor {

// The policy as data, so that a test can print it, freeze it and try to break it. What it refuses
// fails with EPERM and a kernel log line: ending the supervisor would end every API server's reads.
Result<SeccompPolicy> BuildSupervisorPolicy();

}  // namespace baokms::supervisor
