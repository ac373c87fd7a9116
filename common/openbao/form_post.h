// Posts a form to one fixed https URL over handed-over sockets, directly or through the tunnel of
// an HTTP proxy: what an OAuth 2.0 client needs. It knows no OAuth, judges no answer, follows no
// redirect, repeats nothing and keeps no connection.

#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <list>
#include <memory>
#include <string>

#include "common/base/clock.h"
#include "common/base/event_loop.h"
#include "common/base/result.h"
#include "common/openbao/connections.h"
#include "common/openbao/connector.h"
#include "common/openbao/curl_multi.h"
#include "common/openbao/error_class.h"
#include "common/openbao/tls_roots.h"
#include "common/openbao/wiped_buffer.h"

namespace baokms::openbao {

enum class PostRoute : std::uint8_t {
  kDirect,
  kTunnel,  // the sockets lead to an HTTP proxy (RFC 9110, section 9.3.6)
};

// Fixed for the life of the process; from the sealed set-up.
struct FormPostOptions {
  std::string url{};           // https; the certificate is checked against its host
  std::uint32_t endpoint = 0;  // what the connector calls the other end
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
class FormPoster final : private CurlMulti::Listener {
 public:
  using Done = std::function<void(FormAnswer)>;

  // Fails when libcurl cannot be set up or `ca_pem` holds no certificate. Must run before the
  // system call filter is entered; `loop` and `connector` must outlive the poster.
  static Result<std::unique_ptr<FormPoster>> Create(EventLoop& loop,
                                                    Connector& connector,
                                                    FormPostOptions options);

  FormPoster(const FormPoster&) = delete;
  FormPoster& operator=(const FormPoster&) = delete;

  // Drops all posts without telling anybody.
  ~FormPoster() override;

  // `done` runs later, exactly once, at `deadline` at the latest. Addresses that do not answer are
  // left for the next one; each is tried once.
  void Post(FormRequest request, BootTime deadline, Done done);

 private:
  struct Job;
  using Jobs = std::list<std::unique_ptr<Job>>;

  FormPoster(EventLoop& loop,
             Connector& connector,
             FormPostOptions options,
             std::unique_ptr<CurlLibrary> library,
             TlsRoots roots);

  void ConnectAttempt(Job& job);
  void OnSocket(Job& job, SocketAnswer answer);
  void Start(Job& job);
  [[nodiscard]] bool SetOptions(Job& job);
  void OnTimer(Job& job);
  void StopAttempt(Job& job);
  void GoToNextAddress(Job& job, ErrorClass failure);
  void End(Job& job, ErrorClass error_class);
  void Finished(void* easy, int curl_code) override;

  EventLoop& loop_;
  Connector& connector_;
  FormPostOptions options_;
  std::unique_ptr<CurlLibrary> library_;
  TlsRoots roots_;
  Connections connections_;
  std::unique_ptr<CurlMulti> multi_;
  Jobs jobs_;
};

}  // namespace baokms::openbao
