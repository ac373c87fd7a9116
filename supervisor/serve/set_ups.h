// The sealed set-ups of the children, made from a validated configuration before any socket exists.

#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "common/base/result.h"
#include "common/base/unique_fd.h"
#include "supervisor/broker/broker.h"
#include "supervisor/config/config.h"

namespace baokms::supervisor {

struct SealedSetUps {
  UniqueFd spawner;
  UniqueFd worker;
  UniqueFd agent;
  // What the endpoint numbers in the set-ups stand for, for the broker.
  std::vector<BrokerEndpoint> endpoints;
};

// `ca_pem` is the content of openbao.caCertFile; `plugin_version` goes into annotations.
Result<SealedSetUps> SealSetUps(const Config& config,
                                std::string_view ca_pem,
                                std::string_view plugin_version);

}  // namespace baokms::supervisor
