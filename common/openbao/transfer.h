// One libcurl easy handle with everything that libcurl references while a request runs: URL,
// headers and bodies. It is created once and used for many requests. Its owner decides when a
// request runs, on which connection, and what its response means.

#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/result.h"
#include "common/openbao/outcome.h"
#include "common/openbao/tls.h"
#include "common/openbao/wiped_buffer.h"

namespace baokms::openbao {

class Transfer;
struct PendingCall;

// The owner of a transfer. Its functions are called from inside libcurl and must not add, remove or
// destroy transfers.
class TransferHost {
 public:
  TransferHost() = default;
  TransferHost(const TransferHost&) = delete;
  TransferHost& operator=(const TransferHost&) = delete;
  virtual ~TransferHost() = default;

  // Returns the socket for a new connection, which libcurl owns until CloseSocket(); -1 when none
  // is available.
  virtual int TakeSocket(Transfer& transfer) = 0;
  virtual void CloseSocket(int fd) = 0;

  enum class Decision : std::uint8_t { kGoOn, kAbandon };

  // TLS is established and the request is about to be sent.
  virtual Decision BeginRequest(Transfer& transfer) = 0;

  // The headers of the final answer are complete.
  virtual void BeginAnswer(Transfer& transfer) = 0;
};

// The destination of the requests for one endpoint. The texts are passed to libcurl, which does not
// copy the headers.
struct Route {
  std::string base_url;              // the path of a request is appended to it
  std::string connect_to{};          // libcurl's CONNECT_TO: identifies this endpoint's connections
  std::string proxy{};               // the HTTP proxy that the sockets lead to; empty: none
  std::vector<std::string> headers;  // sent with every request, at most kMaxRouteHeaders
  std::string content_type;          // header line of requests with a body
};

inline constexpr std::size_t kMaxRouteHeaders = 4;

// One request; must not move while a transfer runs it.
struct OutgoingRequest {
  std::string path{};           // percent-encoded
  WipedBuffer body;             // empty: GET
  WipedBuffer secret_header;    // one header line with its NUL, or empty
  std::size_t body_limit = 0;   // for a 2xx response
  std::size_t error_limit = 0;  // for the body of any other response
};

// The response to a request, valid until its transfer is used again.
struct HttpResponse {
  enum class Extent : std::uint8_t {
    kComplete,
    kOverLimit,  // more headers or body than allowed; the rest was not read
    kCut,        // the connection ended before the response was complete
  };

  Extent extent = Extent::kComplete;
  long status = 0;
  std::string_view content_type;                    // as sent; empty when there is none
  std::string_view body;                            // never more than the request's limit
  std::optional<std::chrono::seconds> retry_after;  // if it is a plain number
};

enum class ConnectionMode : std::uint8_t {
  kPooled,   // an idle connection
  kNew,      // a new one, kept afterwards
  kNewOnce,  // a new one, closed afterwards
};

class Transfer final {
 public:
  // `host` and `roots` must outlive the transfer and all connections it opened.
  static Result<std::unique_ptr<Transfer>> Create(TransferHost& host, const TlsRoots& roots);

  Transfer(const Transfer&) = delete;
  Transfer& operator=(const Transfer&) = delete;
  ~Transfer();

  // Prepares the handle for `call`'s request. Returns false when libcurl is out of memory.
  [[nodiscard]] bool Prepare(PendingCall& call,
                             Route& route,
                             OutgoingRequest& request,
                             ConnectionMode mode);

  // Forgets the call and wipes the response. Not allowed while libcurl runs the request.
  void Finish();

  // Closes the connection after this response. May be called from BeginAnswer().
  void RetireConnection();

  [[nodiscard]] PendingCall* call() const { return call_; }

  [[nodiscard]] long status() const;

  // Returns the received response. `complete`: libcurl received all of it.
  [[nodiscard]] HttpResponse answer(bool complete) const;

  [[nodiscard]] Progress progress() const { return progress_; }

  // Returns the alert with which the server ended the connection in use.
  [[nodiscard]] TlsAlert tls_alert() const { return tls_alert_; }

  // Returns whether libcurl needed a new connection and TakeSocket() had none.
  [[nodiscard]] bool lacked_socket() const { return lacked_socket_; }

  // Returns the connection in use; -1 before it is known.
  [[nodiscard]] int descriptor() const { return descriptor_; }

  // Returns the address of the TLS session in use, which identifies the connection from
  // BeginRequest() to BeginAnswer() even if libcurl took an idle one.
  [[nodiscard]] const void* tls_session() const;

  void set_descriptor(int fd) { descriptor_ = fd; }

  // Returns the CURL handle, for use by CurlMulti only.
  [[nodiscard]] void* handle() const { return handle_; }

  // Returns the transfer that owns `handle`.
  static Transfer& Of(void* handle);

 private:
  struct Callbacks;
  struct HeaderList;

  Transfer(TransferHost& host, const TlsRoots& roots, void* handle);

  Status SetFixedOptions();
  std::size_t TakeHeader(std::string_view line);
  std::size_t TakeBody(std::string_view piece);

  TransferHost& host_;
  const TlsRoots& roots_;
  void* handle_;
  std::unique_ptr<HeaderList> headers_;
  PendingCall* call_ = nullptr;
  WipedBuffer body_;
  std::size_t body_limit_ = 0;
  std::size_t error_limit_ = 0;
  bool over_limit_ = false;
  std::size_t header_bytes_ = 0;
  Progress progress_ = Progress::kConnecting;
  TlsAlert tls_alert_ = kNoTlsAlert;
  bool is_kept_ = false;  // the connection, after this answer
  bool lacked_socket_ = false;
  int descriptor_ = -1;
};

}  // namespace baokms::openbao
