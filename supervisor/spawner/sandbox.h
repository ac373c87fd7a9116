// The system calls that the spawner, and with it every program it starts, may make.

#pragma once

#include "common/base/result.h"
#include "common/base/seccomp_policy.h"
#include "proto/setup.pb.h"

namespace baokms::supervisor {

// The name under which the spawner reports its filter.
inline constexpr const char* kSpawnerFilterName = "spawner";

// Builds the policy as data, so that a test can print it, compare it with a golden file and try to
// break it. Filters are inherited across execve(2), so it is the union of what the spawner's
// descendants need until their own, narrower filters are in force. What the auth agent's PKCS#11
// module may do and which users the children have is in the set-up.
Result<SeccompPolicy> BuildSpawnerPolicy(const ipc::SpawnerSetup& setup);

}  // namespace baokms::supervisor
