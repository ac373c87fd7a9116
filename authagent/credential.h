// What the agent logs in with: a seam, so that a login does not know whether its JWT was read from
// a file or granted by an OAuth 2.0 server, or whether it is a certificate. A credential never logs
// in by itself.

#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string_view>

#include "common/base/clock.h"
#include "common/base/secret_buffer.h"

namespace baokms::openbao {
class TlsIdentity;
}  // namespace baokms::openbao

namespace baokms::authagent {

// How a credential or a login stands (docs/authentication.md#status-words).
enum class AuthStatus : std::uint8_t {
  kOk,
  kError,       // no word of its own: not readable, not reachable
  kAuthFailed,  // OpenBao refused the credential
  kJwtExpired,
  kJwtNearExpiry,
  kJwtInvalid,
  kOAuth2Credential,   // the client secret cannot be used
  kOAuth2Rejected,     // the token endpoint refused the grant
  kOAuth2Unavailable,  // not reached, or it could not answer now
  kOAuth2Response,     // an answer that is not what RFC 6749 says
  kOAuth2Request,      // no request could be made
  kCertExpired,
  kCertNearExpiry,
  kCertInvalid,
};

// The word for logs and metrics: "ok", "jwt_expired".
[[nodiscard]] std::string_view ToString(AuthStatus status);

// A verdict with its reason. `reason` is fixed text that may name a claim, never a value.
struct Finding {
  AuthStatus status = AuthStatus::kError;
  std::string_view reason;

  friend bool operator==(const Finding&, const Finding&) = default;
};

// A credential as one login needs it.
struct Acquired {
  Finding finding;
  std::int64_t ends_unix = 0;  // when it expires; 0: unknown, or a new one is had for each login
  std::int64_t due_unix = 0;   // a replacement is overdue from then on; 0: never
  // Unless finding.status is kOk both are empty; one of them is what to log in with.
  SecretBuffer jwt;
  std::shared_ptr<const openbao::TlsIdentity> identity;
};

// Belongs to the loop's thread.
class Credential {
 public:
  Credential() = default;
  Credential(const Credential&) = delete;
  Credential& operator=(const Credential&) = delete;
  virtual ~Credential() = default;

  // Fetches the credential as it is now and checks it. `done` is called exactly once, on the loop's
  // thread and at `deadline` at the latest; possibly before Acquire() returns.
  virtual void Acquire(BootTime deadline, std::function<void(Acquired)> done) = 0;

  // Whether what the last Acquire() saw has been replaced since. Cheap; asked every few seconds.
  [[nodiscard]] virtual bool Replaced() const = 0;
};

}  // namespace baokms::authagent
