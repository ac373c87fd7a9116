#include "authagent/jwt_file.h"

#include <cstdint>
#include <span>

#include "authagent/jwt_claims.h"

namespace baokms::authagent {
namespace {

using Bytes = std::span<const std::uint8_t>;

bool IsSpace(std::uint8_t byte) {
  return byte == ' ' || (byte >= '\t' && byte <= '\r');
}

Bytes Trim(Bytes bytes) {
  while (!bytes.empty() && IsSpace(bytes.front())) {
    bytes = bytes.subspan(1);
  }
  while (!bytes.empty() && IsSpace(bytes.back())) {
    bytes = bytes.first(bytes.size() - 1);
  }
  return bytes;
}

}  // namespace

SecretRead ReadJwtFile(const SecretPlace& place) {
  return ReadSecret(place, {.forbidden_bits = kForbiddenSecretBits, .max_size = kMaxJwt},
                    {.key = "auth.jwt.jwtFile",
                     .strip = Trim,
                     .forbidden = IsSpace,
                     .problem = "has white space inside the JWT",
                     .remedy = "write one JWT into it"});
}

void JwtFile::Acquire(BootTime /*deadline*/, std::function<void(Acquired)> done) {
  // Stamped before the file is read, so that Replaced() detects a replacement in between.
  seen_ = StampFile(options_.place.path);
  const SecretRead jwt = ReadJwtFile(options_.place);
  if (!jwt.reason.empty()) {
    return done(
        Unusable(jwt.is_content ? AuthStatus::kJwtInvalid : AuthStatus::kError, jwt.reason));
  }
  done(AcquireJwt(jwt.secret, options_.login));
}

bool JwtFile::Replaced() const {
  return StampFile(options_.place.path) != seen_;
}

std::unique_ptr<Credential> OpenJwtFile(const ipc::AgentSetup& setup) {
  return std::make_unique<JwtFile>(JwtFile::Options{
      .place = PlaceOf(setup, setup.jwt_file().path()), .login = ToJwtLogin(setup.jwt())});
}

}  // namespace baokms::authagent
