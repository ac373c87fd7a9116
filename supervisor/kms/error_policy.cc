#include "supervisor/kms/error_policy.h"

#include <array>
#include <cstddef>
#include <string_view>

#include "proto/ipc.pb.h"
#include "supervisor/observe/metrics.h"

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

// Maps the outcomes that are OpenBao's answers.
Cause CauseOfTransit(ipc::Outcome outcome, KmsMethod method) {
  const bool encrypt = method == KmsMethod::kEncrypt;
  switch (outcome) {
    case ipc::OUTCOME_INVALID_REQUEST:
      return encrypt ? Cause::kEncryptInvalid : Cause::kDecryptInvalid;
    case ipc::OUTCOME_DECRYPT_FAILED:
      return encrypt ? Cause::kEncryptDenied : Cause::kDecryptDenied;
    case ipc::OUTCOME_UNAUTHENTICATED:
    case ipc::OUTCOME_AUTH_FAILED:
    case ipc::OUTCOME_LOGIN_BUDGET:
      return Cause::kUnauthenticated;
    case ipc::OUTCOME_PERMISSION_DENIED:
      return Cause::kPermissionDenied;
    case ipc::OUTCOME_NOT_FOUND:
      return Cause::kKeyMissing;
    case ipc::OUTCOME_PRECONDITION_FAILED:
      return Cause::kPreconditionFailed;
    case ipc::OUTCOME_RATE_LIMITED:
      return Cause::kRateLimited;
    case ipc::OUTCOME_SEALED:
      return Cause::kSealed;
    case ipc::OUTCOME_UNAVAILABLE:
      return Cause::kUnavailable;
    case ipc::OUTCOME_TLS_FAILED:
      return Cause::kTlsFailed;
    case ipc::OUTCOME_DNS_FAILED:
      return Cause::kDnsFailed;
    case ipc::OUTCOME_CONNECTION_FAILED:
      return Cause::kConnectionFailed;
    case ipc::OUTCOME_UNKNOWN_STATUS:
      return Cause::kUnknownStatus;
    case ipc::OUTCOME_UNDECODABLE:
      return Cause::kUntyped;
    default:
      return Cause::kBadAnswer;
  }
}

}  // namespace

std::string_view ToString(GrpcCode code) {
  switch (code) {
    case kOk:
      return "ok";
    case kCancelled:
      return "canceled";
    case kInvalidArgument:
      return "invalid_argument";
    case kDeadlineExceeded:
      return "deadline_exceeded";
    case kNotFound:
      return "not_found";
    case kPermissionDenied:
      return "permission_denied";
    case kResourceExhausted:
      return "resource_exhausted";
    case kFailedPrecondition:
      return "failed_precondition";
    case kInternal:
      return "internal";
    case kUnavailable:
      return "unavailable";
    case kUnauthenticated:
      return "unauthenticated";
  }
  return "unknown";
}

const PublicError& ErrorFor(Cause cause) {
  return kErrors[static_cast<std::size_t>(cause)];
}

Cause CauseOf(ipc::Outcome outcome, KmsMethod method) {
  switch (outcome) {
    case ipc::OUTCOME_OK:
      return Cause::kNone;
    case ipc::OUTCOME_CANCELED:
      return Cause::kCanceled;
    case ipc::OUTCOME_TIMEOUT:
      return Cause::kDeadline;
    case ipc::OUTCOME_KEY_ID_MALFORMED:
      return Cause::kKeyIdMalformed;
    case ipc::OUTCOME_KEY_ID_UNKNOWN:
      // The supervisor knows the key, but this worker has not received it yet, so the key is not
      // reported as unknown.
      return Cause::kDiscoveryFailed;
    case ipc::OUTCOME_ANNOTATIONS_INVALID:
      return Cause::kAnnotationsInvalid;
    case ipc::OUTCOME_ANNOTATIONS_MISMATCH:
      return Cause::kAnnotationsMismatch;
    case ipc::OUTCOME_REQUEST_LIMIT:
      return Cause::kRequestLimit;
    case ipc::OUTCOME_RESPONSE_LIMIT:
      return Cause::kResponseLimit;
    case ipc::OUTCOME_STALE_TABLE:
      return Cause::kStatusKeyIdMismatch;
    case ipc::OUTCOME_OVERLOADED:
      return Cause::kConcurrency;
    default:
      return CauseOfTransit(outcome, method);
  }
}

}  // namespace baokms::supervisor
