#include "authagent/open_credential.h"

#include "authagent/jwt_file.h"
#include "authagent/oauth2.h"
#include "authagent/pkcs11/hsm_credential.h"
#include "common/base/error.h"

namespace baokms::authagent {

Result<std::unique_ptr<Credential>> OpenCredential(const ipc::AgentSetup& setup,
                                                   const CredentialHost& host) {
  switch (setup.credential_case()) {
    case ipc::AgentSetup::kJwtFile:
      return OpenJwtFile(setup);
    case ipc::AgentSetup::kOauth2:
      return OpenOAuth2(setup, host);
    case ipc::AgentSetup::kPkcs11:
      return OpenHsm(setup, host);
    case ipc::AgentSetup::CREDENTIAL_NOT_SET:
      break;
  }
  return Error(ErrorCode::kInvalidArgument, "set-up: no credential");
}

}  // namespace baokms::authagent
