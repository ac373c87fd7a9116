// One libcurl easy handle with everything libcurl points to while a request runs: URL, headers,
// bodies. Made once, used for many requests. It decides nothing: when to run, on which connection
// and what the answer means is its owner's.

#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "common/base/result.h"
#include "common/openbao/outcome.h"
#include "common/openbao/tls_alert.h"
#include "common/openbao/tls_roots.h"
#include "common/openbao/wiped_buffer.h"

namespace baokms::openbao {

class Transfer;
struct Call;

// What a transfer asks of its owner. Called from inside libcurl: must not add, remove or destroy
// transfers.
class TransferHost {
 public:
  TransferHost() = default;
  TransferHost(const TransferHost&) = delete;
  TransferHost& operator=(const TransferHost&) = delete;
  virtual ~TransferHost() = default;

  // The socket for a new connection, libcurl's until CloseSocket(); -1 when none is at hand.
  virtual int TakeSocket(Transfer& transfer) = 0;
  virtual void CloseSocket(int fd) = 0;

  enum class Decision : std::uint8_t { kGoOn, kAbandon };

  // TLS is established, the request is about to be sent.
  virtual Decision BeginRequest(Transfer& transfer) = 0;

  // The headers of the final answer are complete.
  virtual void BeginAnswer(Transfer& transfer) = 0;
};

// Where requests for one endpoint go.
struct Route {
  std::string base_url;     // "https://<server name>:<port><prefix>/v1/"
  std::string connect_to;   // libcurl's CONNECT_TO: a name for this endpoint's connections
  std::string host_header;  // "Host: <the endpoint's own host and port>"
};

// One request; must stay where it is while a transfer runs it.
struct OutgoingRequest {
  std::string path;            // below /v1/, percent-encoded
  WipedBuffer body;            // empty: GET
  WipedBuffer token_header;    // "X-Vault-Token: ..." with its NUL, or empty
  std::size_t body_limit = 0;  // of a 2xx answer
};

enum class ConnectionMode : std::uint8_t {
  kPooled,   // an idle connection
  kNew,      // a new one, kept afterwards
  kNewOnce,  // a new one, closed afterwards
};

class Transfer final {
 public:
  // `host`, `roots` and `namespace_header` (empty: not sent) must outlive the transfer and all
  // connections it made.
  static Result<std::unique_ptr<Transfer>> Create(TransferHost& host,
                                                  const TlsRoots& roots,
                                                  std::string& namespace_header);

  Transfer(const Transfer&) = delete;
  Transfer& operator=(const Transfer&) = delete;
  ~Transfer();

  // Readies the handle for `call`'s request. False when libcurl has no memory.
  [[nodiscard]] bool Prepare(Call& call,
                             Route& route,
                             OutgoingRequest& request,
                             ConnectionMode mode);

  // Forgets the call and wipes what came. Not while libcurl runs it.
  void Finish();

  // Closes the connection after this answer. Callable from BeginAnswer().
  void RetireConnection();

  [[nodiscard]] Call* call() const { return call_; }

  // The answer's body. More than the limit never gets here.
  [[nodiscard]] std::string_view body() const { return body_.text(); }

  [[nodiscard]] long status() const;

  // Retry-After in seconds, when it is a plain number.
  [[nodiscard]] std::optional<std::chrono::seconds> retry_after() const { return retry_after_; }

  [[nodiscard]] Progress progress() const { return progress_; }

  // The alert with which the server ended the connection in use.
  [[nodiscard]] TlsAlert tls_alert() const { return tls_alert_; }

  // libcurl wanted a new connection and TakeSocket() had none.
  [[nodiscard]] bool lacked_socket() const { return lacked_socket_; }

  // The connection in use; -1 before it is known.
  [[nodiscard]] int descriptor() const { return descriptor_; }

  // Names the connection in use from BeginRequest() to BeginAnswer(), also when libcurl took an
  // idle one: the address of its TLS session.
  [[nodiscard]] const void* tls_session() const;

  void set_descriptor(int fd) { descriptor_ = fd; }

  // The CURL handle, for CurlMulti alone.
  [[nodiscard]] void* handle() const { return handle_; }

  // The transfer that `handle` belongs to.
  static Transfer& Of(void* handle);

 private:
  struct Callbacks;
  struct HeaderList;

  Transfer(TransferHost& host, const TlsRoots& roots, std::string& namespace_header, void* handle);

  Status SetFixedOptions();
  std::size_t TakeHeader(std::string_view line);
  std::size_t TakeBody(std::string_view piece);

  TransferHost& host_;
  const TlsRoots& roots_;
  std::string& namespace_header_;
  void* handle_;
  std::unique_ptr<HeaderList> headers_;
  Call* call_ = nullptr;
  WipedBuffer body_;
  std::size_t body_limit_ = 0;
  std::size_t header_bytes_ = 0;
  std::optional<std::chrono::seconds> retry_after_;
  Progress progress_ = Progress::kConnecting;
  TlsAlert tls_alert_ = kNoTlsAlert;
  bool is_kept_ = false;  // the connection, after this answer
  bool lacked_socket_ = false;
  int descriptor_ = -1;
};

}  // namespace baokms::openbao
