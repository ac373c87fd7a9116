// The system call filter of a worker.

#pragma once

#include "common/base/result.h"
#include "common/base/seccomp_policy.h"

namespace baokms::worker {

// The name under which the worker reports its filter.
inline constexpr const char* kFilterName = "worker";

// Returns the policy as data, so that a test can print it, compare it with a golden file and try to
// break it without confining itself.
Result<SeccompPolicy> BuildPolicy();

// Applies the policy to this process permanently. Call it before parsing the first byte from a
// channel.
Status EnterSandbox();

}  // namespace baokms::worker
