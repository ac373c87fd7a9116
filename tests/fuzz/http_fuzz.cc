// Requests to the metrics and health listeners: the first byte says in pieces of how many bytes the
// others arrive. Properties: a handler's answer does not depend on the pieces, an answer is one
// complete response, and no header grows without end.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "supervisor/observe/http_exchange.h"
#include "tests/fuzz/require.h"

namespace {

using baokms::Require;
using baokms::supervisor::HttpExchange;
using baokms::supervisor::HttpHandler;
using baokms::supervisor::HttpReply;

constexpr std::uint32_t kHeaderBytes = 1024;

const std::map<std::string, HttpHandler>& Handlers() {
  static const std::map<std::string, HttpHandler> handlers = {
      {"/live",
       [] {
         return HttpReply{.status = 200, .content_type = "text/plain", .body = "ok"};
       }},
      {"/ready", [] {
         return HttpReply{.status = 503, .content_type = "", .body = "{}"};
       }}};
  return handlers;
}

std::optional<std::string> AnswerTo(std::string_view request, std::size_t piece) {
  HttpExchange exchange(Handlers(), kHeaderBytes);
  for (std::size_t at = 0; at < request.size(); at += piece) {
    if (auto answer = exchange.Take(request.substr(at, piece))) {
      return answer;
    }
    Require(at <= kHeaderBytes + piece, "a header does not grow without end");
  }
  return std::nullopt;
}

// Whether no handler is asked. The parser may notice at different bytes that a request is wrong.
bool IsRefused(const std::optional<std::string>& answer) {
  return !answer || answer->starts_with("HTTP/1.1 400 ") || answer->starts_with("HTTP/1.1 431 ");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) {
    return 0;
  }
  const std::string_view request(reinterpret_cast<const char*>(data) + 1, size - 1);
  const std::size_t piece = std::max<std::size_t>(data[0], 1);
  const auto at_once = AnswerTo(request, std::max<std::size_t>(request.size(), 1));
  const auto in_pieces = AnswerTo(request, piece);
  if (at_once) {
    Require(at_once->starts_with("HTTP/1.1 "), "an answer is a response");
    Require(at_once->find("\r\n\r\n") != std::string::npos, "which is complete");
    Require(at_once->find("Connection: close") != std::string::npos, "and the last one");
  }
  Require((IsRefused(at_once) && IsRefused(in_pieces)) || at_once == in_pieces,
          "pieces do not matter");
  return 0;
}
