// One HTTP request and its response as bytes: reads the header with Boost.Beast's parser, finds the
// handler and builds the response. It has no socket and no clock.

#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include <boost/beast/http/empty_body.hpp>
#include <boost/beast/http/parser.hpp>

#include "supervisor/observe/http_listener.h"

namespace baokms::supervisor {

class HttpExchange final {
 public:
  // `handlers` must outlive the exchange. A header larger than `header_bytes` is refused.
  HttpExchange(const std::map<std::string, HttpHandler>& handlers, std::uint32_t header_bytes)
      : handlers_(handlers) {
    parser_.header_limit(header_bytes);
  }

  // Takes the bytes that arrived next. Returns the whole response once the header is complete or
  // refused.
  [[nodiscard]] std::optional<std::string> Take(std::string_view received);

  // Returns the response for a client that took too long: 408.
  [[nodiscard]] static std::string TimedOut();

 private:
  [[nodiscard]] std::string Answer() const;

  const std::map<std::string, HttpHandler>& handlers_;
  boost::beast::http::request_parser<boost::beast::http::empty_body> parser_;
  std::string pending_;  // received but not parsed yet
};

}  // namespace baokms::supervisor
