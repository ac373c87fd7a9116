// Posts a form to one fixed https URL over brokered sockets, directly or through the tunnel of an
// HTTP proxy, as an OAuth 2.0 client has to. It follows no redirect, repeats no request and keeps
// no connection; what an answer means is decided by the caller.

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

// Fixed for the life of the process; from the sealed set-up.
struct FormPostOptions {
  std::string url{};           // https; the certificate is checked against its host
  std::uint32_t endpoint = 0;  // the connector's number of the server or proxy
  PostRoute route = PostRoute::kDirect;
  std::string ca_pem{};  // the only roots
};

// One request; both texts are sent as they are.
struct FormRequest {
  WipedBuffer body;           // application/x-www-form-urlencoded
  WipedBuffer authorization;  // "Authorization: ..." with its NUL, or empty
};

struct FormAnswer {
  // kOk: a complete answer, whatever its status. kUndecodable: an answer over the limits of
  // http_limits.h. Else why there is none.
  ErrorClass error_class = ErrorClass::kUnavailable;
  long status = 0;
  std::string content_type{};  // as sent; empty when there is none
  WipedBuffer body{};          // of a 200 only
};

// Everything belongs to the loop's thread.
class FormPoster final {
 public:
  using Done = std::function<void(FormAnswer)>;

  // Fails when libcurl cannot be set up or `ca_pem` holds no certificate. Must run before the
  // system call filter is entered; `loop` and `connector` must outlive the poster, whose
  // destruction drops all posts without calling back.
  static Result<std::unique_ptr<FormPoster>> Create(EventLoop& loop,
                                                    Connector& connector,
                                                    FormPostOptions options);

  // `done` runs later, exactly once, at `deadline` at the latest. Every address is tried once until
  // one establishes TLS.
  void Post(FormRequest request, BootTime deadline, Done done);

 private:
  explicit FormPoster(std::unique_ptr<Exchange> exchange) : exchange_(std::move(exchange)) {}

  std::unique_ptr<Exchange> exchange_;
};

}  // namespace baokms::openbao
