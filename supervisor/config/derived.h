// Derives what the rest of the program needs from a validated Config: parsed addresses, modes,
// effective limits. Every function expects a Config in which Validate() found no problem.

#pragma once

#include <sys/types.h>

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/result.h"
#include "common/contract/identity.h"
#include "common/setup/url.h"
#include "supervisor/config/config.h"
#include "supervisor/config/listen_address.h"

namespace baokms::supervisor {

// Returns openbao.address first, then openbao.additionalAddresses in order.
Result<std::vector<setup::HttpsAddress>> OpenBaoEndpoints(const Config& config);

// Parses server.metricsAddress or server.healthAddress; returns nothing if it is turned off.
std::optional<ListenAddress> ListenerOf(std::string_view address);

// Returns auth.loginTimeout, or if that is 0 the larger of openbao.timeout and 5s.
Duration EffectiveLoginTimeout(const Config& config);

// Returns auth.loginBudgetPerMinute, or if that is 0 the larger of 12 and three per worker.
int EffectiveLoginBudget(const Config& config);

// Parses server.socketMode.
Result<mode_t> SocketMode(const Config& config);

// Returns server.socketGroup as a number, looked up in the group database if it is a name.
Result<gid_t> SocketGroup(const Config& config);

// A file and the key that names it, such as "auth.jwt.jwtFile".
struct ConfiguredFile {
  std::string_view key;
  std::string path;  // empty: none
};

// Returns the secret of the configured login method. Only the auth agent needs to read it.
ConfiguredFile CredentialOf(const Config& config);

// Returns the PKCS #11 module.
ConfiguredFile ModuleOf(const Config& config);

// Returns the identity that key ids and the state file's fingerprint derive from.
contract::ConfigIdentity IdentityOf(const Config& config);

}  // namespace baokms::supervisor
