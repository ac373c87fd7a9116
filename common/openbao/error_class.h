// How a call to OpenBao ended, as classes: the only thing about a failure that leaves the client.
// Texts of OpenBao are read to choose the class and dropped.

#pragma once

#include <cstdint>
#include <string_view>

#include "proto/ipc.pb.h"

namespace baokms::openbao {

// Error classes of docs/contract.md#error-classes (HTTP status and transport), plus the two ends
// that are not OpenBao's.
enum class ErrorClass : std::uint8_t {
  kOk,
  kInvalidRequest,
  kUnauthenticated,
  kPermissionDenied,
  kNotFound,
  kDecryptFailed,
  kPreconditionFailed,  // 412: a proxy in front of OpenBao requires something else of requests
  kRateLimited,
  kSealed,
  kUnavailable,
  kTlsFailed,
  kDnsFailed,
  kConnectionFailed,
  kUnknown,      // an HTTP status with no class of its own
  kUndecodable,  // a 2xx answer that is not the documented JSON; has no class towards the caller
  kLoginBudgetUsedUp,  // the provider's own limit; says nothing about OpenBao
  kCanceled,
  kTimeout,
};

// The label that metrics and logs use: "ok", "invalid_request", ... "canceled", "timeout".
[[nodiscard]] std::string_view ToString(ErrorClass error_class);

// The same on an IPC channel.
[[nodiscard]] ipc::Outcome ToOutcome(ErrorClass error_class);

}  // namespace baokms::openbao
