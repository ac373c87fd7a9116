// A login with a JWT (docs/authentication.md#jwt-from-a-file), wherever the JWT comes from.

#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "authagent/credential.h"
#include "authagent/jwt_claims.h"
#include "common/base/secret_buffer.h"
#include "proto/setup.pb.h"

namespace baokms::authagent {

struct JwtLogin {
  std::string role;
  JwtRules rules;
};

[[nodiscard]] JwtLogin ToJwtLogin(const ipc::JwtSetup& setup);

// Checks the JWT at this moment and makes the login request from it. `expires_by` is the latest
// time at which the JWT expires, if its issuer has stated one beside `exp`; seconds since 1970.
[[nodiscard]] Acquired AcquireJwt(const SecretBuffer& jwt,
                                  const JwtLogin& login,
                                  std::optional<std::int64_t> expires_by = std::nullopt);

}  // namespace baokms::authagent
