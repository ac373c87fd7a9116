#include "supervisor/observe/http_exchange.h"

#include <exception>

#include <boost/asio/buffer.hpp>
#include <boost/beast/core/error.hpp>
#include <boost/beast/http/error.hpp>
#include <boost/beast/http/status.hpp>
#include <boost/beast/http/verb.hpp>

namespace baokms::supervisor {
namespace {

namespace http = boost::beast::http;

enum class SendBody : std::uint8_t { kYes, kNo };

std::string Serialize(const HttpReply& reply, SendBody send_body) {
  const http::status status = http::int_to_status(static_cast<unsigned>(reply.status));
  const auto reason = http::obsolete_reason(status);
  std::string text = "HTTP/1.1 " + std::to_string(reply.status) + " ";
  text.append(reason.data(), reason.size()).append("\r\n");
  if (!reply.content_type.empty()) {
    text.append("Content-Type: ").append(reply.content_type).append("\r\n");
  }
  if (status == http::status::method_not_allowed) {
    text.append("Allow: GET, HEAD\r\n");
  }
  text.append("Content-Length: ").append(std::to_string(reply.body.size())).append("\r\n");
  text.append("Cache-Control: no-store\r\nConnection: close\r\n\r\n");
  if (send_body == SendBody::kYes) {
    text.append(reply.body);
  }
  return text;
}

// Returns a response that consists of the status alone and echoes nothing of the request.
std::string Plain(http::status status) {
  return Serialize({.status = static_cast<int>(status), .content_type = "", .body = ""},
                   SendBody::kYes);
}

}  // namespace

std::optional<std::string> HttpExchange::Take(std::string_view received) {
  pending_.append(received);
  boost::beast::error_code error;
  const std::size_t parsed =
      parser_.put(boost::asio::buffer(pending_.data(), pending_.size()), error);
  pending_.erase(0, parsed);
  if (parser_.is_header_done()) {
    return Answer();
  }
  if (!error || error == http::error::need_more) {
    return std::nullopt;
  }
  return Plain(error == http::error::header_limit ? http::status::request_header_fields_too_large
                                                  : http::status::bad_request);
}

std::string HttpExchange::TimedOut() {
  return Plain(http::status::request_timeout);
}

std::string HttpExchange::Answer() const {
  const auto& request = parser_.get();
  const std::string_view target(request.target().data(), request.target().size());
  const auto handler = handlers_.find(std::string(target.substr(0, target.find('?'))));
  if (handler == handlers_.end()) {
    return Plain(http::status::not_found);
  }
  if (request.method() != http::verb::get && request.method() != http::verb::head) {
    return Plain(http::status::method_not_allowed);
  }
  try {
    return Serialize(handler->second(),
                     request.method() == http::verb::head ? SendBody::kNo : SendBody::kYes);
  } catch (const std::exception&) {
    return Plain(http::status::internal_server_error);
  }
}

}  // namespace baokms::supervisor
