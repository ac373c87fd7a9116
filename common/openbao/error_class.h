// The outcome of a call to OpenBao as a class, which is all that leaves the client about a failure.
// Texts of OpenBao are used to choose the class and then dropped.

#pragma once

#include <cstdint>
#include <string_view>

#include "proto/ipc.pb.h"

namespace baokms::openbao {

// Error classes of docs/contract.md#error-classes (HTTP status and transport), and two outcomes
// that OpenBao does not cause.
enum class ErrorClass : std::uint8_t {
  kOk,
  kInvalidRequest,
  kUnauthenticated,
  kPermissionDenied,
  kNotFound,
  kDecryptFailed,
  kPreconditionFailed,  // 412: a proxy in front of OpenBao requires something else from requests
  kRateLimited,
  kSealed,
  kUnavailable,
  kTlsFailed,
  kDnsFailed,
  kConnectionFailed,
  kUnknown,      // an HTTP status without a class of its own
  kUndecodable,  // a 2xx response that is not the documented JSON; has no class towards the caller
  kLoginBudgetUsedUp,  // the provider's own limit, independent of OpenBao
  kCanceled,
  kTimeout,
};

// Returns the label for metrics and logs: "ok", "invalid_request", ... "canceled", "timeout".
[[nodiscard]] std::string_view ToString(ErrorClass error_class);

// Returns the corresponding outcome for an IPC channel.
[[nodiscard]] ipc::Outcome ToOutcome(ErrorClass error_class);

}  // namespace baokms::openbao
