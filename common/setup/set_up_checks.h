// Whether a sealed set-up is complete and each value of it is one that the configuration allows.
//
// The supervisor checks the set-ups that it made, before it starts anything, and a child checks the
// one that it received. Because both call these functions, a child that starts at all accepts its
// set-up. The error names the key of the configuration that the value is from.

#pragma once

#include "common/base/result.h"
#include "proto/setup.pb.h"

namespace baokms::setup {

Status CheckWorkerSetup(const ipc::WorkerSetup& setup);

Status CheckAgentSetup(const ipc::AgentSetup& setup);

}  // namespace baokms::setup
