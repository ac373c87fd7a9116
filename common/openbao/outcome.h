// What one HTTP exchange came to: its error class, and what may be done about it.

#pragma once

#include <chrono>
#include <cstdint>
#include <optional>

#include "common/openbao/error_class.h"
#include "common/openbao/tls_alert.h"

namespace baokms::openbao {

enum class Remedy : std::uint8_t {
  kNone,          // the answer stands
  kOtherAddress,  // only another address can help
  kRepeat,        // the same again, once, after a short wait
};

// What is kept of the error texts of an answer: which known phrases occur in them.
struct ErrorTexts {
  bool sealed = false;                 // "sealed"
  bool authentication_failed = false;  // "message authentication failed"
};

struct Outcome {
  ErrorClass error_class = ErrorClass::kUnknown;
  Remedy remedy = Remedy::kNone;
  std::chrono::seconds wait{0};  // at least this long before a kRepeat
  TlsAlert tls_alert = kNoTlsAlert;
};

// How far an exchange came that libcurl could not complete.
enum class Progress : std::uint8_t {
  kConnecting,  // TLS not established
  kSent,        // established, no byte of an answer
  kAnswering,   // a part of the answer came
};

// An exchange without a complete answer. `curl_code` is a CURLcode other than CURLE_OK, `alert`
// what the server ended the connection with.
Outcome ClassifyTransport(int curl_code, Progress progress, TlsAlert alert = kNoTlsAlert);

// A complete answer with a status other than 2xx (docs/contract.md#error-classes,
// docs/contract.md#retries). `retry_after` is the header's number of seconds.
Outcome ClassifyStatus(long status,
                       const ErrorTexts& texts,
                       std::optional<std::chrono::seconds> retry_after);

}  // namespace baokms::openbao
