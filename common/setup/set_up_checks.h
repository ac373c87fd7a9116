// Checks that a sealed set-up is complete and that the configuration allows each of its values.
//
// The supervisor checks the set-ups that it made before it starts any process, and each child
// checks the one that it received. Because both call these functions, a child always accepts the
// set-up it was started with. The error names the configuration key that the value came from.

#pragma once

#include "common/base/result.h"
#include "proto/setup.pb.h"

namespace baokms::setup {

Status CheckWorkerSetup(const ipc::WorkerSetup& setup);

Status CheckAgentSetup(const ipc::AgentSetup& setup);

}  // namespace baokms::setup
