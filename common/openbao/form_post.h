// Posts a form to one fixed https URL over brokered sockets, directly or through the tunnel of an
// HTTP proxy, as an OAuth 2.0 client does. It follows no redirect, repeats no request and keeps no
// connection; the caller interprets the response.

#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <utility>

#include "common/base/clock.h"
#include "common/base/event_loop.h"
#include "common/base/result.h"
#include "common/openbao/connector.h"
#include "common/openbao/error_class.h"
#include "common/openbao/exchange.h"
#include "common/openbao/wiped_buffer.h"

namespace baokms::openbao {

enum class PostRoute : std::uint8_t {
  kDirect,
  kTunnel,  // the sockets lead to an HTTP proxy (RFC 9110, section 9.3.6)
};

// Fixed for the lifetime of the process; from the sealed set-up.
struct FormPostOptions {
  std::string url{};           // https; the certificate is verified against its host
  std::uint32_t endpoint = 0;  // the connector's number of the server or proxy
  PostRoute route = PostRoute::kDirect;
  std::string ca_pem{};  // the only trusted roots
};

// One request; both texts are sent unchanged.
struct FormRequest {
  WipedBuffer body;           // application/x-www-form-urlencoded
  WipedBuffer authorization;  // "Authorization: ..." with its NUL, or empty
};

struct FormAnswer {
  // kOk: a complete response with any status. kUndecodable: a response over the limits of
  // http_limits.h. Any other value: why there is no response.
  ErrorClass error_class = ErrorClass::kUnavailable;
  long status = 0;
  std::string content_type{};  // as sent; empty when there is none
  WipedBuffer body{};          // for status 200 only
};

// Must be used on the loop's thread only.
class FormPoster final {
 public:
  using Done = std::function<void(FormAnswer)>;

  // Creates a poster. Fails when libcurl cannot be set up or `ca_pem` holds no certificate. Call it
  // before the system call filter is installed; `loop` and `connector` must outlive the poster,
  // whose destruction drops all posts without calling back.
  static Result<std::unique_ptr<FormPoster>> Create(EventLoop& loop,
                                                    Connector& connector,
                                                    FormPostOptions options);

  // Sends the form. `done` runs later, exactly once and at `deadline` at the latest. Every address
  // is tried once until one establishes TLS.
  void Post(FormRequest request, BootTime deadline, Done done);

 private:
  explicit FormPoster(std::unique_ptr<Exchange> exchange) : exchange_(std::move(exchange)) {}

  std::unique_ptr<Exchange> exchange_;
};

}  // namespace baokms::openbao
