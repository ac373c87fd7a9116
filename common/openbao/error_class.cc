#include "common/openbao/error_class.h"

#include <array>
#include <cstddef>

namespace baokms::openbao {
namespace {

struct Row {
  ErrorClass error_class;
  std::string_view label;
  ipc::Outcome outcome;
};

constexpr std::array<Row, 18> kRows{{
    {ErrorClass::kOk, "ok", ipc::OUTCOME_OK},
    {ErrorClass::kInvalidRequest, "invalid_request", ipc::OUTCOME_INVALID_REQUEST},
    {ErrorClass::kUnauthenticated, "unauthenticated", ipc::OUTCOME_UNAUTHENTICATED},
    {ErrorClass::kPermissionDenied, "permission_denied", ipc::OUTCOME_PERMISSION_DENIED},
    {ErrorClass::kNotFound, "not_found", ipc::OUTCOME_NOT_FOUND},
    {ErrorClass::kDecryptFailed, "decrypt_failed", ipc::OUTCOME_DECRYPT_FAILED},
    {ErrorClass::kPreconditionFailed, "precondition_failed", ipc::OUTCOME_PRECONDITION_FAILED},
    {ErrorClass::kRateLimited, "rate_limited", ipc::OUTCOME_RATE_LIMITED},
    {ErrorClass::kSealed, "sealed", ipc::OUTCOME_SEALED},
    {ErrorClass::kUnavailable, "unavailable", ipc::OUTCOME_UNAVAILABLE},
    {ErrorClass::kTlsFailed, "tls_failed", ipc::OUTCOME_TLS_FAILED},
    {ErrorClass::kDnsFailed, "dns_failed", ipc::OUTCOME_DNS_FAILED},
    {ErrorClass::kConnectionFailed, "connection_failed", ipc::OUTCOME_CONNECTION_FAILED},
    {ErrorClass::kUnknown, "unknown", ipc::OUTCOME_UNKNOWN_STATUS},
    // The labels are a closed list known to dashboards; this is its "other backend error".
    {ErrorClass::kUndecodable, "unavailable", ipc::OUTCOME_UNDECODABLE},
    {ErrorClass::kLoginBudgetUsedUp, "rate_limited", ipc::OUTCOME_LOGIN_BUDGET},
    {ErrorClass::kCanceled, "canceled", ipc::OUTCOME_CANCELED},
    {ErrorClass::kTimeout, "timeout", ipc::OUTCOME_TIMEOUT},
}};

const Row& RowOf(ErrorClass error_class) {
  return kRows[static_cast<std::size_t>(error_class)];
}

constexpr bool RowsAreInOrder() {
  for (std::size_t i = 0; i < kRows.size(); ++i) {
    if (static_cast<std::size_t>(kRows[i].error_class) != i) {
      return false;
    }
  }
  return true;
}

static_assert(RowsAreInOrder());

}  // namespace

std::string_view ToString(ErrorClass error_class) {
  return RowOf(error_class).label;
}

ipc::Outcome ToOutcome(ErrorClass error_class) {
  return RowOf(error_class).outcome;
}

}  // namespace baokms::openbao
