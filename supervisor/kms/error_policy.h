// What a KMS client is told, and nothing else: one table from the cause of a failure to gRPC code,
// text and class (docs/contract.md#error-table). Texts never hold more than this.

#pragma once

#include <cstdint>
#include <string_view>

#include "proto/ipc.pb.h"
#include "supervisor/observe/metrics.h"

namespace baokms::supervisor {

// gRPC's numbers.
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

// "invalid_argument" and so on, as metrics and logs write it.
[[nodiscard]] std::string_view ToString(GrpcCode code);

// Why a request ended. The order is that of the contract's table.
enum class Cause : std::uint8_t {
  kNone,  // it succeeded
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
  kAadNotRequired,  // part of the public table; no key of this provider is in another mode
  kPanic,
  kBadAnswer,  // of Transit or of a worker, and any other local error

  // OpenBao's answers.
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
  std::string_view error_class;  // for logs and metrics
};

// The row of a cause. The texts are literals.
[[nodiscard]] const PublicError& ErrorFor(Cause cause);

// The cause that a worker's or the gateway's outcome stands for. kNone for OUTCOME_OK.
[[nodiscard]] Cause CauseOf(ipc::Outcome outcome, KmsMethod method);

}  // namespace baokms::supervisor
