#include "authagent/jwt_login.h"

#include <algorithm>
#include <array>
#include <string_view>
#include <utility>

#include "common/base/clock.h"
#include "common/base/result.h"
#include "common/openbao/request_bodies.h"
#include "common/openbao/wiped_buffer.h"
#include "proto/ipc.pb.h"

namespace baokms::authagent {

JwtLogin ToJwtLogin(const ipc::JwtSetup& setup) {
  return {.role = setup.role(),
          .rules = {.min_remaining_s = setup.min_remaining_s(),
                    .leeway_s = setup.leeway_s(),
                    .expected_issuer = setup.expected_issuer(),
                    .expected_audiences = {setup.expected_audiences().begin(),
                                           setup.expected_audiences().end()},
                    .expected_subject = setup.expected_subject()}};
}

Acquired AcquireJwt(const SecretBuffer& jwt,
                    const JwtLogin& login,
                    std::optional<std::int64_t> expires_by) {
  Result<JwtClaims> claims = ParseJwt(jwt.Reveal());
  if (!claims) {
    return Unusable(AuthStatus::kJwtInvalid, claims.error().what());
  }
  if (expires_by) {
    claims->expires = std::min(claims->expires, static_cast<double>(*expires_by));
  }
  Acquired acquired;
  acquired.ends_unix = static_cast<std::int64_t>(claims->expires);
  acquired.due_unix = DueUnix(*claims, login.rules);
  acquired.finding = CheckClaims(*claims, login.rules, UnixNow());
  if (acquired.finding.status != AuthStatus::kOk) {
    return acquired;
  }
  Result<openbao::WipedBuffer> body =
      openbao::BuildObject(std::array{openbao::BodyMember{"role", login.role},
                                      openbao::BodyMember{"jwt", jwt.RevealText(), kMaxJwt}});
  if (!body) {
    return Unusable(AuthStatus::kError, body.error().what());
  }
  acquired.request = {ipc::OPERATION_JWT_LOGIN, std::move(*body), nullptr};
  return acquired;
}

}  // namespace baokms::authagent
