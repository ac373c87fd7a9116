// Maps the cause of each failure to the gRPC code, status text and error class that a KMS client
// sees (docs/contract.md#error-table). Status texts never contain anything else.

#pragma once

#include <cstdint>
#include <string_view>

#include "proto/ipc.pb.h"
#include "supervisor/observe/metrics.h"

namespace baokms::supervisor {

// The numbers are gRPC's.
enum class GrpcCode : std::uint8_t {
  kOk = 0,
  kCancelled = 1,
  kInvalidArgument = 3,
  kDeadlineExceeded = 4,
  kNotFound = 5,
  kPermissionDenied = 7,
  kResourceExhausted = 8,
  kFailedPrecondition = 9,
  kInternal = 13,
  kUnavailable = 14,
  kUnauthenticated = 16,
};

// Returns the name that metrics and logs use: "invalid_argument", ...
[[nodiscard]] std::string_view ToString(GrpcCode code);

// Why a request ended. The order is that of the contract's table.
enum class Cause : std::uint8_t {
  kNone,  // success
  kCanceled,
  kDeadline,
  kDiscoveryFailed,
  kEmptyPlaintext,
  kEmptyCiphertext,
  kRequestLimit,
  kKeyIdMalformed,
  kAnnotationsInvalid,
  kAnnotationsMismatch,
  kResponseLimit,
  kConcurrency,
  kKeyIdUnknown,
  kStatusUnavailable,
  kStatusUnhealthy,
  kNoActiveKey,
  kStatusKeyIdMismatch,
  kAadNotRequired,  // in the public table, but unused: every key of this provider requires AAD
  kPanic,
  kBadAnswer,  // from Transit or from a worker; also any other local error

  // Errors that OpenBao returned.
  kUnauthenticated,
  kPermissionDenied,
  kKeyMissing,
  kEncryptInvalid,
  kDecryptInvalid,
  kEncryptDenied,
  kDecryptDenied,
  kPreconditionFailed,
  kRateLimited,
  kSealed,
  kUnavailable,
  kTlsFailed,
  kDnsFailed,
  kConnectionFailed,
  kUnknownStatus,
  kUntyped,
};

inline constexpr Cause kLastCause = Cause::kUntyped;

struct PublicError {
  GrpcCode code = GrpcCode::kOk;
  std::string_view text;         // for the client
  std::string_view error_class;  // for logs and metrics only
};

// Returns the table row of a cause. The texts are literals.
[[nodiscard]] const PublicError& ErrorFor(Cause cause);

// Returns whether kube-apiserver may conclude from such an error that the data is unusable, because
// its text does not say that it is temporary.
[[nodiscard]] bool IsLasting(Cause cause);

// Returns the cause that a worker pool outcome stands for; kNone for OUTCOME_OK.
[[nodiscard]] Cause CauseOf(ipc::Outcome outcome, KmsMethod method);

}  // namespace baokms::supervisor
