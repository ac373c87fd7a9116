// The sealed set-ups of the children, made from a validated configuration before any socket exists.

#pragma once

#include <cstdint>
#include <vector>

#include "common/base/result.h"
#include "common/base/unique_fd.h"
#include "supervisor/broker/broker.h"
#include "supervisor/config/serve_options.h"

namespace baokms::supervisor {

struct SealedSetUps {
  UniqueFd spawner;
  UniqueFd worker;
  UniqueFd agent;
  // What the endpoint numbers in the set-ups stand for, for the broker.
  std::vector<BrokerEndpoint> endpoints;
  // How many of them, from the first on, are OpenBao's: the others are the agent's alone.
  std::uint32_t openbao_endpoints = 0;
};

// `pin_salt` is the PIN latch's; empty without a PKCS#11 module.
Result<SealedSetUps> SealSetUps(const ServeOptions& options, std::string_view pin_salt);

}  // namespace baokms::supervisor
