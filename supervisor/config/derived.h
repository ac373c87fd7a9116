// What the rest of the program reads out of a validated Config: addresses taken apart, modes,
// effective limits. Every function expects a Config that Validate() had nothing against.

#pragma once

#include <sys/types.h>

#include <optional>
#include <string_view>
#include <vector>

#include "common/base/log.h"
#include "common/base/result.h"
#include "common/contract/identity.h"
#include "supervisor/config/address.h"
#include "supervisor/config/config.h"

namespace baokms::supervisor {

// openbao.address first, then openbao.additionalAddresses in order.
Result<std::vector<HttpsAddress>> OpenBaoEndpoints(const Config& config);

// server.metricsAddress or server.healthAddress; nothing when it is turned off.
std::optional<ListenAddress> ListenerOf(std::string_view address);

// auth.loginTimeout, or the larger of openbao.timeout and 5s when that is 0.
Duration EffectiveLoginTimeout(const Config& config);

// auth.loginBudgetPerMinute, or the larger of 12 and three per worker when that is 0.
int EffectiveLoginBudget(const Config& config);

// A level of logging.level.
LogLevel LevelOf(std::string_view level);

// server.socketMode.
Result<mode_t> SocketMode(const Config& config);

// server.socketGroup: the number it is, or the group database's answer for the name.
Result<gid_t> SocketGroup(const Config& config);

// The identity that key ids and the state file's fingerprint are made of.
contract::ConfigIdentity IdentityOf(const Config& config);

}  // namespace baokms::supervisor
