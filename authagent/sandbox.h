// What the auth agent may ask of the kernel.

#pragma once

#include "common/base/result.h"
#include "common/base/seccomp_policy.h"

namespace baokms::authagent {

// The name that the agent reports for its filter.
inline constexpr const char* kFilterName = "auth_agent";

// The policy as data, so that a test can print it, freeze it and try to break it without this
// process confining itself.
Result<SeccompPolicy> BuildPolicy();

// Applies it to this process, for good. Call it before the first byte from a channel is parsed.
Status EnterSandbox();

}  // namespace baokms::authagent
