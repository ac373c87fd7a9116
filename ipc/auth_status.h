// The status words of logins (docs/authentication.md#status-words). Messages carry the words; the
// supervisor makes labels from these words only.

#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace baokms::ipc {

// The state of a credential or a login.
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

// The words, at the index of their status.
inline constexpr auto kAuthStatusWords = std::to_array<std::string_view>(
    {"ok", "error", "auth_failed", "jwt_expired", "jwt_near_expiry", "jwt_invalid",
     "oauth2_credential", "oauth2_rejected", "oauth2_unavailable", "oauth2_response",
     "oauth2_request", "cert_expired", "cert_near_expiry", "cert_invalid"});
static_assert(kAuthStatusWords.size() == static_cast<std::size_t>(AuthStatus::kCertInvalid) + 1);

[[nodiscard]] constexpr std::string_view ToString(AuthStatus status) {
  return kAuthStatusWords[static_cast<std::size_t>(status)];
}

}  // namespace baokms::ipc
