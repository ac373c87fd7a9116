// A plain HTTP listener for a few fixed paths: health on one address, metrics on another. It serves
// GET and HEAD, one request per connection, from one thread, and reads neither request bodies nor
// files. A slow or silent client costs one descriptor until its time is up or a newer client needs
// it.

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

// Called on the listener's thread for each request to its path.
using HttpHandler = std::function<HttpReply()>;

// Limits of one listener (docs/observability.md#health).
struct HttpBounds {
  // Maximum number of open connections; one more closes the oldest of the address that has the
  // most. A request that arrives as a whole is answered immediately, so the oldest connection is a
  // slow or silent one.
  std::size_t connections = 128;
  // An address with more connections than this is a crowd. Who probes or scrapes has one or two.
  std::size_t crowd = 8;
  // Time limit for receiving the whole request header, and for each write of the response.
  std::chrono::milliseconds request_time{5000};
  // The same for each connection of a crowd.
  std::chrono::milliseconds crowd_time{250};
  std::uint32_t header_bytes = 16 * 1024;  // kubelet and Prometheus send less than 1 KiB
};

class HttpListener {
 public:
  // Binds the address and starts the thread. `host` may be empty (every interface) or an IPv6
  // address without brackets; with `port` 0 the kernel chooses. kUnavailable: the address cannot be
  // bound, or the system has no descriptor or thread left.
  static Result<std::unique_ptr<HttpListener>> Start(const std::string& host,
                                                     std::uint16_t port,
                                                     std::map<std::string, HttpHandler> handlers,
                                                     HttpBounds bounds = {});

  HttpListener(const HttpListener&) = delete;
  HttpListener& operator=(const HttpListener&) = delete;
  // Waits for the handler in progress, ends the thread and closes every connection.
  virtual ~HttpListener() = default;

  // Returns the bound port.
  [[nodiscard]] virtual std::uint16_t port() const = 0;

 protected:
  HttpListener() = default;
};

}  // namespace baokms::supervisor
