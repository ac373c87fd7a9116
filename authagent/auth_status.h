// The state of a credential or of a login, with its reason.

#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

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

// Returns the status word for logs and metrics.
[[nodiscard]] constexpr std::string_view ToString(AuthStatus status) {
  constexpr auto kWords = std::to_array<std::string_view>(
      {"ok", "error", "auth_failed", "jwt_expired", "jwt_near_expiry", "jwt_invalid",
       "oauth2_credential", "oauth2_rejected", "oauth2_unavailable", "oauth2_response",
       "oauth2_request", "cert_expired", "cert_near_expiry", "cert_invalid"});
  static_assert(kWords.size() == static_cast<std::size_t>(AuthStatus::kCertInvalid) + 1);
  return kWords[static_cast<std::size_t>(status)];
}

// A status with its reason, which may name a claim and durations, but never the value of a claim.
struct Finding {
  AuthStatus status = AuthStatus::kError;
  std::string reason;

  friend bool operator==(const Finding&, const Finding&) = default;
};

}  // namespace baokms::authagent
