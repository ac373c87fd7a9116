// What the rest of the program reads from a validated Config: parsed addresses, modes, effective
// limits. Every function expects a Config in which Validate() found no problem.

#pragma once

#include <sys/types.h>

#include <optional>
#include <string_view>
#include <vector>

#include "common/base/result.h"
#include "common/contract/identity.h"
#include "common/setup/url.h"
#include "supervisor/config/config.h"
#include "supervisor/config/listen_address.h"

namespace baokms::supervisor {

// openbao.address first, then openbao.additionalAddresses in order.
Result<std::vector<setup::HttpsAddress>> OpenBaoEndpoints(const Config& config);

// server.metricsAddress or server.healthAddress; nothing when it is turned off.
std::optional<ListenAddress> ListenerOf(std::string_view address);

// auth.loginTimeout, or the larger of openbao.timeout and 5s when that is 0.
Duration EffectiveLoginTimeout(const Config& config);

// auth.loginBudgetPerMinute, or the larger of 12 and three per worker when that is 0.
int EffectiveLoginBudget(const Config& config);

// server.socketMode.
Result<mode_t> SocketMode(const Config& config);

// server.socketGroup: the number it is, or the group database's answer for the name.
Result<gid_t> SocketGroup(const Config& config);

// The identity that key ids and the state file's fingerprint are made of.
contract::ConfigIdentity IdentityOf(const Config& config);

}  // namespace baokms::supervisor
