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
  }
  return "error";
}

}  // namespace baokms::authagent
