#include "supervisor/kms/error_policy.h"

#include <algorithm>
#include <array>
#include <cstddef>

namespace baokms::supervisor {
namespace {

using enum GrpcCode;

// In the order of Cause. kube-apiserver may call an object corrupt after an error, so the text of
// every error that an outage can cause says that it is temporary.
constexpr std::array kErrors = {
    PublicError{kOk, "", ""},
    PublicError{kCancelled, "request canceled", "canceled"},
    PublicError{kDeadlineExceeded, "request timed out (temporary)", "timeout"},
    PublicError{kUnavailable, "key metadata refresh failed (temporary)",
                "key_metadata_refresh_failed"},
    PublicError{kInvalidArgument, "plaintext is required", "unknown"},
    PublicError{kInvalidArgument, "ciphertext is required", "unknown"},
    PublicError{kInvalidArgument, "kms request exceeds protocol limits", "protocol_limit"},
    PublicError{kInvalidArgument, "key_id malformed", "key_id_malformed"},
    PublicError{kInvalidArgument, "annotations invalid", "annotation_invalid"},
    PublicError{kInvalidArgument, "annotations do not match key snapshot", "aad_mismatch"},
    PublicError{kInternal, "kms response exceeds protocol limits", "protocol_limit"},
    PublicError{kResourceExhausted, "kms request concurrency limit reached (temporary)",
                "concurrency_limit"},
    PublicError{kNotFound, "key_id unknown", "key_id_unknown"},
    PublicError{kFailedPrecondition, "status unavailable (temporary)", "status_stale"},
    PublicError{kFailedPrecondition, "status unhealthy (temporary)", "status_stale"},
    PublicError{kFailedPrecondition, "active key unavailable (temporary)", "status_stale"},
    PublicError{kFailedPrecondition, "status key_id mismatch (temporary)", "status_stale"},
    PublicError{kFailedPrecondition, "AAD required (temporary)", "aad_missing"},
    PublicError{kInternal, "kms request failed", "panic"},
    PublicError{kInternal, "kms request failed", "unknown"},

    PublicError{kUnauthenticated, "transit authentication failed (temporary)", "auth_failed"},
    PublicError{kPermissionDenied, "transit permission denied (temporary)",
                "transit_policy_denied"},
    PublicError{kNotFound, "transit key not found", "transit_key_missing"},
    PublicError{kInvalidArgument, "transit encrypt failed", "unknown"},
    PublicError{kInvalidArgument, "transit decrypt failed", "unknown"},
    PublicError{kInvalidArgument, "transit encrypt failed", "aad_mismatch"},
    PublicError{kInvalidArgument, "transit decrypt failed", "aad_mismatch"},
    PublicError{kUnavailable, "transit precondition failed (temporary)",
                "openbao_precondition_failed"},
    PublicError{kResourceExhausted, "transit rate limited (temporary)", "openbao_rate_limited"},
    PublicError{kUnavailable, "transit unavailable (temporary)", "openbao_sealed"},
    PublicError{kUnavailable, "transit unavailable (temporary)", "openbao_unavailable"},
    PublicError{kUnavailable, "transit unavailable (temporary)", "openbao_tls_failed"},
    PublicError{kUnavailable, "transit unavailable (temporary)", "openbao_dns_failed"},
    PublicError{kUnavailable, "transit unavailable (temporary)", "openbao_connection_failed"},
    PublicError{kUnavailable, "transit unavailable (temporary)", "unknown"},
    PublicError{kUnavailable, "transit operation failed (temporary)", "openbao_unavailable"},
};

static_assert(kErrors.size() == static_cast<std::size_t>(kLastCause) + 1);

// The outcomes of a worker's request. What is not listed is a bad answer.
struct OutcomeCause {
  ipc::Outcome outcome;
  Cause cause;
};

constexpr std::array kCauses = {
    OutcomeCause{ipc::OUTCOME_OK, Cause::kNone},
    OutcomeCause{ipc::OUTCOME_CANCELED, Cause::kCanceled},
    OutcomeCause{ipc::OUTCOME_TIMEOUT, Cause::kDeadline},
    OutcomeCause{ipc::OUTCOME_KEY_ID_MALFORMED, Cause::kKeyIdMalformed},
    // The supervisor knows the key, but this worker has not received it yet, so the key is not
    // reported as unknown.
    OutcomeCause{ipc::OUTCOME_KEY_ID_UNKNOWN, Cause::kDiscoveryFailed},
    OutcomeCause{ipc::OUTCOME_ANNOTATIONS_INVALID, Cause::kAnnotationsInvalid},
    OutcomeCause{ipc::OUTCOME_ANNOTATIONS_MISMATCH, Cause::kAnnotationsMismatch},
    OutcomeCause{ipc::OUTCOME_REQUEST_LIMIT, Cause::kRequestLimit},
    OutcomeCause{ipc::OUTCOME_RESPONSE_LIMIT, Cause::kResponseLimit},
    OutcomeCause{ipc::OUTCOME_STALE_TABLE, Cause::kStatusKeyIdMismatch},
    OutcomeCause{ipc::OUTCOME_OVERLOADED, Cause::kConcurrency},

    // Answers of OpenBao. The first two have other causes for Encrypt.
    OutcomeCause{ipc::OUTCOME_INVALID_REQUEST, Cause::kDecryptInvalid},
    OutcomeCause{ipc::OUTCOME_DECRYPT_FAILED, Cause::kDecryptDenied},
    OutcomeCause{ipc::OUTCOME_UNAUTHENTICATED, Cause::kUnauthenticated},
    OutcomeCause{ipc::OUTCOME_AUTH_FAILED, Cause::kUnauthenticated},
    OutcomeCause{ipc::OUTCOME_LOGIN_BUDGET, Cause::kUnauthenticated},
    OutcomeCause{ipc::OUTCOME_PERMISSION_DENIED, Cause::kPermissionDenied},
    OutcomeCause{ipc::OUTCOME_NOT_FOUND, Cause::kKeyMissing},
    OutcomeCause{ipc::OUTCOME_PRECONDITION_FAILED, Cause::kPreconditionFailed},
    OutcomeCause{ipc::OUTCOME_RATE_LIMITED, Cause::kRateLimited},
    OutcomeCause{ipc::OUTCOME_SEALED, Cause::kSealed},
    OutcomeCause{ipc::OUTCOME_UNAVAILABLE, Cause::kUnavailable},
    OutcomeCause{ipc::OUTCOME_LOGIN_TIMEOUT, Cause::kUnavailable},
    OutcomeCause{ipc::OUTCOME_TLS_FAILED, Cause::kTlsFailed},
    OutcomeCause{ipc::OUTCOME_DNS_FAILED, Cause::kDnsFailed},
    OutcomeCause{ipc::OUTCOME_CONNECTION_FAILED, Cause::kConnectionFailed},
    OutcomeCause{ipc::OUTCOME_UNKNOWN_STATUS, Cause::kUnknownStatus},
    OutcomeCause{ipc::OUTCOME_UNDECODABLE, Cause::kUntyped},
};

// By gRPC's numbers. This program uses those of GrpcCode.
constexpr std::array<std::string_view, 17> kCodeNames = {
    "ok",        "canceled",       "unknown",           "invalid_argument",   "deadline_exceeded",
    "not_found", "already_exists", "permission_denied", "resource_exhausted", "failed_precondition",
    "aborted",   "out_of_range",   "unimplemented",     "internal",           "unavailable",
    "data_loss", "unauthenticated"};

}  // namespace

std::string_view ToString(GrpcCode code) {
  return kCodeNames[static_cast<std::size_t>(code)];
}

const PublicError& ErrorFor(Cause cause) {
  return kErrors[static_cast<std::size_t>(cause)];
}

bool IsLasting(Cause cause) {
  return cause != Cause::kNone && cause != Cause::kCanceled &&
         !ErrorFor(cause).text.ends_with("(temporary)");
}

Cause CauseOf(ipc::Outcome outcome, KmsMethod method) {
  const auto* found = std::ranges::find(kCauses, outcome, &OutcomeCause::outcome);
  const Cause cause = found == kCauses.end() ? Cause::kBadAnswer : found->cause;
  if (method == KmsMethod::kEncrypt && cause == Cause::kDecryptInvalid) {
    return Cause::kEncryptInvalid;
  }
  if (method == KmsMethod::kEncrypt && cause == Cause::kDecryptDenied) {
    return Cause::kEncryptDenied;
  }
  return cause;
}

}  // namespace baokms::supervisor
