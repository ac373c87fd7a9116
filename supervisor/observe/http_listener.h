// A plain HTTP listener for a few fixed paths: health on one address, metrics on another. It serves
// GET and HEAD, one request per connection, from one thread; it reads no body and no file. Clients
// that are slow or silent cost a descriptor each until their time is up or a newer client needs it.

#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>

#include "common/base/result.h"

namespace baokms::supervisor {

struct HttpReply {
  int status = 200;
  std::string content_type;
  std::string body;
};

// Called on the listener's thread, for each request of its path.
using HttpHandler = std::function<HttpReply()>;

// What one listener may use up.
struct HttpBounds {
  // Open at the same time; one more closes the oldest. A request that arrives whole is answered at
  // once, so the oldest connection is one that is slow or silent.
  std::size_t connections = 128;
  // For the whole of a request's header, and for each write of the answer
  // (docs/observability.md#health).
  std::chrono::milliseconds request_time{5000};
  std::uint32_t header_bytes = 16 * 1024;  // kubelet and Prometheus send below 1 KiB
};

class HttpListener final {
 public:
  // Binds and starts the thread. `host` may be empty (every interface) or an IPv6 address without
  // brackets; `port` 0 lets the kernel choose. kUnavailable: the address cannot be bound, or the
  // system has no descriptor or thread left.
  static Result<std::unique_ptr<HttpListener>> Start(const std::string& host,
                                                     std::uint16_t port,
                                                     std::map<std::string, HttpHandler> handlers,
                                                     HttpBounds bounds = {});

  HttpListener(const HttpListener&) = delete;
  HttpListener& operator=(const HttpListener&) = delete;
  // Ends the thread after the handler in progress and closes every connection.
  ~HttpListener();

  // The port that was bound.
  [[nodiscard]] std::uint16_t port() const;

 private:
  class Server;

  explicit HttpListener(std::unique_ptr<Server> server);

  std::unique_ptr<Server> server_;
};

}  // namespace baokms::supervisor
