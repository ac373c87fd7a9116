#include "authagent/jwt_file.h"

#include <sys/types.h>

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <string>

#include <unistd.h>

#include <utility>

#include "authagent/credential.h"
#include "authagent/jwt_claims.h"
#include "common/base/clock.h"
#include "common/base/error.h"
#include "common/base/result.h"
#include "common/base/safe_path.h"
#include "common/base/secret_buffer.h"

namespace baokms::authagent {
namespace {

// Group write and execute, everything for others.
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

// Fills `buffer` from the descriptor; returns how much there was.
Result<std::size_t> ReadAll(int fd, std::span<std::uint8_t> buffer) {
  std::size_t filled = 0;
  while (filled < buffer.size()) {
    const ssize_t size = ::read(fd, buffer.data() + filled, buffer.size() - filled);
    if (size < 0 && errno == EINTR) {
      continue;
    }
    if (size < 0) {
      return Error(ErrorCode::kSystem, "file not readable", errno);
    }
    if (size == 0) {
      break;
    }
    filled += static_cast<std::size_t>(size);
  }
  return filled;
}

}  // namespace

Result<SecretBuffer> ReadJwtFile(const std::string& path, uid_t own_user) {
  const SafeFile file = BAOKMS_TRY(OpenSafeFile(
      path, {.forbidden_bits = kForbiddenBits, .max_size = kMaxJwtFile, .own_user = own_user}));
  // One byte more than there should be shows a file that is being written.
  SecretBuffer raw = BAOKMS_TRY(SecretBuffer::Allocate(file.size + 1));
  const std::size_t size = BAOKMS_TRY(ReadAll(file.fd.get(), raw.RevealMutable()));
  if (size != file.size) {
    return Error(ErrorCode::kUnavailable, "file changed while it was read");
  }
  const Bytes token = Trim(raw.Reveal().first(size));
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
  acquired.finding = CheckClaims(*claims, options_.rules, UnixNow());
  if (acquired.finding.status == AuthStatus::kOk) {
    acquired.jwt = std::move(*jwt);
  }
  return acquired;
}

void JwtFile::Acquire(BootTime /*deadline*/, std::function<void(Acquired)> done) {
  // Before the file is read: what replaces it in between is then seen by Replaced().
  seen_ = StampFile(options_.path);
  done(ReadAndCheck());
}

bool JwtFile::Replaced() const {
  return StampFile(options_.path) != seen_;
}

}  // namespace baokms::authagent
