// What Landlock leaves to the supervisor once it serves, and what it then cannot open.

#pragma once

#include <cstdint>
#include <vector>

#include "common/base/landlock.h"
#include "supervisor/broker/broker.h"
#include "supervisor/config/serve_options.h"
#include "supervisor/serve/isolation_facts.h"
#include "supervisor/serve/kms_socket.h"
#include "supervisor/serve/start_failure.h"

namespace baokms::supervisor {

// Returns the rules: reading what a reload and a name lookup need, changing the state, binding a
// KMS socket of our own again, and the ports that are configured. With one user for all
// processes, a directory with a credential below it is replaced by the files in it that are needed.
LandlockRules RulesOfSupervisor(const ServeOptions& options,
                                const std::vector<BrokerEndpoint>& endpoints,
                                SocketOrigin socket,
                                IsolationLevel level);

// Enters these rules as isolation.landlock says. Exit code 3: it is `require`, and the kernel has
// no Landlock.
Started<LandlockState> ConfineSupervisor(LandlockUse use, const LandlockRules& rules);

// Returns whether this process can open the auth agent's credential, by trying it.
bool CanReadCredential(const Config& config);

}  // namespace baokms::supervisor
