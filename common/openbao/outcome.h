// The outcome of one HTTP exchange: its error class, and the possible remedy.

#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>

#include "common/openbao/error_class.h"
#include "common/openbao/tls.h"

namespace baokms::openbao {

enum class Remedy : std::uint8_t {
  kNone,          // the outcome is final
  kOtherAddress,  // only another address can help
  kRepeat,        // repeat the request once, after a short wait
};

// The known phrases that occur in the error texts of a response.
struct ErrorTexts {
  bool sealed = false;                 // "sealed"
  bool authentication_failed = false;  // "message authentication failed"
};

struct AttemptOutcome {
  ErrorClass error_class = ErrorClass::kUnknown;
  Remedy remedy = Remedy::kNone;
  std::chrono::seconds wait{0};  // minimum wait before a kRepeat
  TlsAlert tls_alert = kNoTlsAlert;
  std::string request_id{};  // the server's id of the request; empty: not stated
};

// The progress of an exchange that libcurl could not complete.
enum class Progress : std::uint8_t {
  kConnecting,  // TLS not established
  kSent,        // TLS established, no byte of a response received
  kAnswering,   // part of a response received
};

// Classifies an exchange without a complete response. `curl_code` is a CURLcode other than
// CURLE_OK; `alert` is the TLS alert with which the server ended the connection.
AttemptOutcome ClassifyTransport(int curl_code, Progress progress, TlsAlert alert = kNoTlsAlert);

// Classifies a complete response with a status other than 2xx (docs/contract.md#error-classes,
// docs/contract.md#retries). `retry_after` is the value of the header if it is a number of seconds.
AttemptOutcome ClassifyStatus(long status,
                              const ErrorTexts& texts,
                              std::optional<std::chrono::seconds> retry_after);

}  // namespace baokms::openbao
