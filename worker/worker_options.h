// The sealed set-up of a worker, checked and converted to the types that its parts use.

#pragma once

#include <cstdint>
#include <string>

#include "common/base/log.h"
#include "common/base/result.h"
#include "common/contract/identity.h"
#include "common/openbao/api.h"
#include "proto/setup.pb.h"
#include "worker/token_state_machine.h"

namespace baokms::worker {

struct WorkerOptions {
  contract::KeyIdentity identity;
  openbao::ClientOptions openbao;
  TokenTiming token;
  std::int64_t renewal_increment_seconds = 0;
  std::string plugin_version;
  LogLevel log_level = LogLevel::kInfo;
};

// Fails with kInvalidArgument for values that no valid configuration produces: the set-up is the
// only trusted input, so an invalid one ends the worker.
Result<WorkerOptions> ReadSetup(const ipc::WorkerSetup& setup);

}  // namespace baokms::worker
