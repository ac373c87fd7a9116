#include "common/openbao/outcome.h"

#include <curl/curl.h>

namespace baokms::openbao {
namespace {

ErrorClass TransportClass(int curl_code) {
  switch (curl_code) {
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CERTPROBLEM:
    case CURLE_SSL_CIPHER:
    case CURLE_SSL_ENGINE_NOTFOUND:
    case CURLE_SSL_ENGINE_SETFAILED:
    case CURLE_SSL_ENGINE_INITFAILED:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_SSL_SHUTDOWN_FAILED:
    case CURLE_SSL_CRL_BADFILE:
    case CURLE_SSL_ISSUER_ERROR:
    case CURLE_SSL_PINNEDPUBKEYNOTMATCH:
    case CURLE_SSL_INVALIDCERTSTATUS:
    case CURLE_SSL_CLIENTCERT:
    case CURLE_USE_SSL_FAILED:
      return ErrorClass::kTlsFailed;
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_COULDNT_RESOLVE_PROXY:
      return ErrorClass::kDnsFailed;
    case CURLE_COULDNT_CONNECT:
    case CURLE_OPERATION_TIMEDOUT:  // the socket's ETIMEDOUT; libcurl has no time limit from us
    case CURLE_GOT_NOTHING:
    case CURLE_SEND_ERROR:
    case CURLE_RECV_ERROR:
      return ErrorClass::kConnectionFailed;
    default:
      return ErrorClass::kUnavailable;
  }
}

ErrorClass StatusClass(long status, const ErrorTexts& texts) {
  if (texts.sealed && status >= 500) {
    return ErrorClass::kSealed;
  }
  switch (status) {
    case 400:
      return texts.authentication_failed ? ErrorClass::kDecryptFailed : ErrorClass::kInvalidRequest;
    case 401:
      return ErrorClass::kUnauthenticated;
    case 403:
      return ErrorClass::kPermissionDenied;
    case 404:
      return ErrorClass::kNotFound;
    case 412:
      return ErrorClass::kPreconditionFailed;
    case 429:
      return ErrorClass::kRateLimited;
    default:
      return status >= 500 || (status >= 300 && status < 400) ? ErrorClass::kUnavailable
                                                              : ErrorClass::kUnknown;
  }
}

}  // namespace

AttemptOutcome ClassifyTransport(int curl_code, Progress progress, TlsAlert alert) {
  if (alert != kNoTlsAlert && progress != Progress::kAnswering) {
    // The server refused the connection; with TLS 1.3 possibly after our side completed the
    // handshake.
    return {
        .error_class = ErrorClass::kTlsFailed, .remedy = Remedy::kOtherAddress, .tls_alert = alert};
  }
  const ErrorClass error_class = TransportClass(curl_code);
  if (progress == Progress::kConnecting) {
    return {.error_class = error_class, .remedy = Remedy::kOtherAddress};
  }
  const bool reset = progress == Progress::kSent && error_class == ErrorClass::kConnectionFailed;
  return {.error_class = error_class, .remedy = reset ? Remedy::kRepeat : Remedy::kNone};
}

AttemptOutcome ClassifyStatus(long status,
                              const ErrorTexts& texts,
                              std::optional<std::chrono::seconds> retry_after) {
  AttemptOutcome outcome{.error_class = StatusClass(status, texts)};
  if (outcome.error_class == ErrorClass::kSealed || (status >= 300 && status < 400)) {
    outcome.remedy = Remedy::kOtherAddress;
  } else if (status == 502 || status == 503) {
    outcome.remedy = Remedy::kRepeat;
  } else if (status == 429 && retry_after) {
    outcome.remedy = Remedy::kRepeat;
    outcome.wait = *retry_after;
  }
  return outcome;
}

}  // namespace baokms::openbao
