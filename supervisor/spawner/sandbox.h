// What the spawner, and with it every program it starts, may ask of the kernel.

#pragma once

#include <optional>

#include "common/base/result.h"
#include "common/base/seccomp_policy.h"
#include "proto/setup.pb.h"

namespace baokms::supervisor {

// The policy as data, so that a test can print it, freeze it and try to break it. Filters are
// inherited over exec, so it is the union of what its descendants need until their own, narrower
// filters are in force. `module`: what the auth agent's PKCS#11 module may do, if it has one.
Result<SeccompPolicy> BuildSpawnerPolicy(const std::optional<ipc::ModuleAccess>& module);

}  // namespace baokms::supervisor
