// The sealed set-ups of the children, built from a validated configuration before any socket
// exists.

#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "common/base/result.h"
#include "proto/setup.pb.h"
#include "supervisor/broker/broker.h"
#include "supervisor/children/start_spawner.h"
#include "supervisor/config/serve_options.h"
#include "supervisor/serve/user_plan.h"

namespace baokms::supervisor {

// The set-ups of all children, before they are sealed.
struct SetUps {
  ipc::WorkerSetup worker;
  ipc::AgentSetup agent;
  ipc::SpawnerSetup spawner;
};

// Builds the set-ups. Fails with kInvalidArgument if a child would refuse its set-up. `pin_salt` is
// the PIN latch's; empty without a PKCS #11 module. `users` are null if all processes run as one.
Result<SetUps> MakeSetUps(const ServeOptions& options,
                          std::string_view pin_salt,
                          const ChildUsers* users);

struct SealedSetUps {
  SpawnerInputs inputs;
  // The endpoints that the endpoint numbers in the set-ups refer to, for the broker.
  std::vector<BrokerEndpoint> endpoints;
  // How many of them, from the first on, are OpenBao's. Only the agent may be connected to the
  // others.
  std::uint32_t openbao_endpoints = 0;
};

// Like MakeSetUps(), with the results sealed. `helpers_readable` is HelperPrograms::readable.
Result<SealedSetUps> SealSetUps(const ServeOptions& options,
                                std::string_view pin_salt,
                                const ChildUsers* users,
                                bool helpers_readable);

}  // namespace baokms::supervisor
