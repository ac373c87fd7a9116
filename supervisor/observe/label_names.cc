#include "supervisor/observe/label_names.h"

#include <algorithm>
#include <array>
#include <string_view>

#include "proto/ipc.pb.h"

namespace baokms::supervisor {

std::string_view OperationLabel(ipc::OpenBaoOperation operation) {
  switch (operation) {
    case ipc::OPERATION_JWT_LOGIN:
      return "jwt_login";
    case ipc::OPERATION_CERT_LOGIN:
      return "cert_login";
    case ipc::OPERATION_TOKEN_RENEW_SELF:
      return "token_renew_self";
    case ipc::OPERATION_TRANSIT_METADATA_READ:
      return "transit_metadata_read";
    case ipc::OPERATION_TRANSIT_DISABLE_UPSERT_READ:
      return "transit_disable_upsert_read";
    case ipc::OPERATION_TRANSIT_ENCRYPT:
      return "transit_encrypt";
    case ipc::OPERATION_TRANSIT_DECRYPT:
      return "transit_decrypt";
    case ipc::OPERATION_CAPABILITIES_SELF:
      return "capabilities_self";
    default:
      return "unknown";
  }
}

std::string_view OutcomeLabel(ipc::Outcome outcome) {
  switch (outcome) {
    case ipc::OUTCOME_OK:
      return "ok";
    case ipc::OUTCOME_INVALID_REQUEST:
      return "invalid_request";
    case ipc::OUTCOME_UNAUTHENTICATED:
      return "unauthenticated";
    case ipc::OUTCOME_PERMISSION_DENIED:
      return "permission_denied";
    case ipc::OUTCOME_NOT_FOUND:
      return "not_found";
    case ipc::OUTCOME_DECRYPT_FAILED:
      return "decrypt_failed";
    case ipc::OUTCOME_PRECONDITION_FAILED:
      return "precondition_failed";
    case ipc::OUTCOME_RATE_LIMITED:
      return "rate_limited";
    case ipc::OUTCOME_SEALED:
      return "sealed";
    case ipc::OUTCOME_UNAVAILABLE:
    case ipc::OUTCOME_OVERLOADED:
      return "unavailable";
    case ipc::OUTCOME_TLS_FAILED:
      return "tls_failed";
    case ipc::OUTCOME_DNS_FAILED:
      return "dns_failed";
    case ipc::OUTCOME_CONNECTION_FAILED:
      return "connection_failed";
    case ipc::OUTCOME_CANCELED:
      return "canceled";
    case ipc::OUTCOME_TIMEOUT:
      return "timeout";
    case ipc::OUTCOME_AUTH_FAILED:
    case ipc::OUTCOME_LOGIN_BUDGET:
      return "auth_failed";
    default:
      return "unknown";
  }
}

std::string_view AuthStatusLabel(std::string_view word) {
  constexpr std::array<std::string_view, 15> kWords = {"ok",
                                                       "error",
                                                       "auth_failed",
                                                       "no_usable_session",
                                                       "jwt_expired",
                                                       "jwt_near_expiry",
                                                       "jwt_invalid",
                                                       "cert_expired",
                                                       "cert_near_expiry",
                                                       "cert_invalid",
                                                       "oauth2_credential",
                                                       "oauth2_rejected",
                                                       "oauth2_unavailable",
                                                       "oauth2_response",
                                                       "oauth2_request"};
  const auto* const known = std::ranges::find(kWords, word);
  return known != kWords.end() ? *known : std::string_view(word.empty() ? "" : "error");
}

}  // namespace baokms::supervisor
