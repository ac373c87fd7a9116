// A plain HTTP listener for a few fixed paths: health on one address, metrics on another. GET and
// HEAD only, bounded threads and times; it serves no files and reads no body.

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

// Called on a listener's thread, for each request of its path.
using HttpHandler = std::function<HttpReply()>;

// What one listener may use up.
struct HttpBounds {
  int threads = 2;  // requests at the same time; all are started by Start()
  // For the whole of a request's header, and for each write of the answer
  // (docs/observability.md#health; connections are not kept, so there is no idle time).
  std::chrono::milliseconds request_time{5000};
  std::size_t header_bytes = 16 * 1024;  // kubelet and Prometheus send below 1 KiB
};

class HttpListener final {
 public:
  // Binds and starts its threads at once. `host` may be empty (every interface) or an IPv6 address
  // without brackets; `port` 0 lets the kernel choose. kUnavailable: the address cannot be bound.
  static Result<std::unique_ptr<HttpListener>> Start(const std::string& host,
                                                     std::uint16_t port,
                                                     std::map<std::string, HttpHandler> handlers,
                                                     HttpBounds bounds = {});

  HttpListener(const HttpListener&) = delete;
  HttpListener& operator=(const HttpListener&) = delete;
  // Ends its threads; a request in progress is answered first.
  ~HttpListener();

  // The port that was bound.
  [[nodiscard]] std::uint16_t port() const;

 private:
  struct Impl;

  explicit HttpListener(std::unique_ptr<Impl> impl);

  std::unique_ptr<Impl> impl_;
};

}  // namespace baokms::supervisor
