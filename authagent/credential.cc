#include "authagent/credential.h"

#include <string_view>

namespace baokms::authagent {

std::string_view ToString(AuthStatus status) {
  switch (status) {
    case AuthStatus::kOk:
      return "ok";
    case AuthStatus::kError:
      return "error";
    case AuthStatus::kAuthFailed:
      return "auth_failed";
    case AuthStatus::kJwtExpired:
      return "jwt_expired";
    case AuthStatus::kJwtNearExpiry:
      return "jwt_near_expiry";
    case AuthStatus::kJwtInvalid:
      return "jwt_invalid";
    case AuthStatus::kOAuth2Credential:
      return "oauth2_credential";
    case AuthStatus::kOAuth2Rejected:
      return "oauth2_rejected";
    case AuthStatus::kOAuth2Unavailable:
      return "oauth2_unavailable";
    case AuthStatus::kOAuth2Response:
      return "oauth2_response";
    case AuthStatus::kOAuth2Request:
      return "oauth2_request";
    case AuthStatus::kCertExpired:
      return "cert_expired";
    case AuthStatus::kCertNearExpiry:
      return "cert_near_expiry";
    case AuthStatus::kCertInvalid:
      return "cert_invalid";
  }
  return "error";
}

}  // namespace baokms::authagent
