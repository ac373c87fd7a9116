#include "authagent/jwt_file.h"

#include <sys/types.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <utility>

#include "authagent/credential.h"
#include "authagent/jwt_claims.h"
#include "authagent/secret_file.h"
#include "common/base/clock.h"
#include "common/base/error.h"
#include "common/base/result.h"
#include "common/base/safe_path.h"
#include "common/base/secret_buffer.h"

namespace baokms::authagent {
namespace {

// Group write and execute, and all permissions of others.
constexpr mode_t kForbiddenBits = 0037;

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

Result<SecretBuffer> ReadJwtFile(const std::string& path, uid_t own_user) {
  const SecretFile file = BAOKMS_TRY(ReadSecretFile(
      path, {.forbidden_bits = kForbiddenBits, .max_size = kMaxJwtFile, .own_user = own_user}));
  const Bytes token = Trim(file.content());
  if (token.empty()) {
    return Error(ErrorCode::kInvalidArgument, "file empty");
  }
  if (std::ranges::any_of(token, IsSpace)) {
    return Error(ErrorCode::kInvalidArgument, "whitespace inside the JWT");
  }
  SecretBuffer jwt = BAOKMS_TRY(SecretBuffer::Allocate(token.size()));
  std::ranges::copy(token, jwt.RevealMutable().begin());
  return jwt;
}

Acquired JwtFile::ReadAndCheck() const {
  Acquired acquired;
  Result<SecretBuffer> jwt = ReadJwtFile(options_.path, options_.own_user);
  if (!jwt) {
    const bool content = jwt.error().code() == ErrorCode::kInvalidArgument;
    acquired.finding = {content ? AuthStatus::kJwtInvalid : AuthStatus::kError, jwt.error().what()};
    return acquired;
  }
  const Result<JwtClaims> claims = ParseJwt(jwt->Reveal());
  if (!claims) {
    acquired.finding = {AuthStatus::kJwtInvalid, claims.error().what()};
    return acquired;
  }
  acquired.ends_unix = static_cast<std::int64_t>(claims->expires);
  acquired.due_unix = DueUnix(*claims, options_.rules);
  acquired.finding = CheckClaims(*claims, options_.rules, UnixNow());
  if (acquired.finding.status == AuthStatus::kOk) {
    acquired.jwt = std::move(*jwt);
  }
  return acquired;
}

void JwtFile::Acquire(BootTime /*deadline*/, std::function<void(Acquired)> done) {
  // Stamped before the file is read, so that Replaced() detects a replacement in between.
  seen_ = StampFile(options_.path);
  done(ReadAndCheck());
}

bool JwtFile::Replaced() const {
  return StampFile(options_.path) != seen_;
}

}  // namespace baokms::authagent
