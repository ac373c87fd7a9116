// Opens the credential that the set-up selects. This is the only place that tells the auth methods
// apart; everything else uses the Credential interface.

#pragma once

#include <memory>

#include "authagent/credential.h"
#include "common/base/result.h"
#include "proto/setup.pb.h"

namespace baokms::authagent {

// Opens everything that the filter later forbids to open. `setup` has passed CheckAgentSetup().
// Fails when OpenSSL, libcurl or the kernel is out of resources.
Result<std::unique_ptr<Credential>> OpenCredential(const ipc::AgentSetup& setup,
                                                   const CredentialHost& host);

}  // namespace baokms::authagent
