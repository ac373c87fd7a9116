// The credential that the agent logs in with, as an interface: a login does not depend on whether
// it is a JWT from a file, a JWT from an OAuth 2.0 server, or a certificate. A credential never
// logs in by itself.

#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string_view>

#include "common/base/clock.h"
#include "common/base/secret_buffer.h"

namespace baokms::openbao {
struct TlsIdentity;
}  // namespace baokms::openbao

namespace baokms::authagent {

// The state of a credential or a login (docs/authentication.md#status-words).
enum class AuthStatus : std::uint8_t {
  kOk,
  kError,       // no status of its own: not readable, not reachable
  kAuthFailed,  // OpenBao refused the credential
  kJwtExpired,
  kJwtNearExpiry,
  kJwtInvalid,
  kOAuth2Credential,   // the client secret cannot be used
  kOAuth2Rejected,     // the token endpoint refused the grant
  kOAuth2Unavailable,  // not reachable, or unable to answer now
  kOAuth2Response,     // an answer that does not conform to RFC 6749
  kOAuth2Request,      // the request could not be built
  kCertExpired,
  kCertNearExpiry,
  kCertInvalid,
};

// Returns the status word for logs and metrics: "ok", "jwt_expired".
[[nodiscard]] std::string_view ToString(AuthStatus status);

// A status with its reason. `reason` is fixed text that may name a claim, never its value.
struct Finding {
  AuthStatus status = AuthStatus::kError;
  std::string_view reason;

  friend bool operator==(const Finding&, const Finding&) = default;
};

// A credential in the form that one login needs.
struct Acquired {
  Finding finding;
  std::int64_t ends_unix = 0;  // when it expires; 0: unknown, or each login obtains a new one
  std::int64_t due_unix = 0;   // a replacement is overdue from this time on; 0: never
  // Both are empty unless finding.status is kOk; otherwise one of them is set.
  SecretBuffer jwt;
  std::shared_ptr<const openbao::TlsIdentity> identity;
};

// Must be used on the loop's thread only.
class Credential {
 public:
  Credential() = default;
  Credential(const Credential&) = delete;
  Credential& operator=(const Credential&) = delete;
  virtual ~Credential() = default;

  // Obtains the current credential and checks it. `done` is called exactly once, on the loop's
  // thread and at `deadline` at the latest; possibly before Acquire() returns.
  virtual void Acquire(BootTime deadline, std::function<void(Acquired)> done) = 0;

  // Returns whether the credential has been replaced since the last Acquire(). Cheap; called every
  // few seconds.
  [[nodiscard]] virtual bool Replaced() const = 0;
};

}  // namespace baokms::authagent
