#include "supervisor/observe/http_listener.h"

#include <netinet/in.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include <civetweb.h>

#include <cstdint>
#include <exception>

#include <fcntl.h>

#include <map>
#include <memory>
#include <string>
#include <string_view>

#include <unistd.h>

#include <utility>

#include "common/base/error.h"
#include "common/base/result.h"
#include "common/base/unique_fd.h"
#include "supervisor/observe/listen_socket.h"

namespace baokms::supervisor {

// Waits for its threads.
struct StopCivetweb {
  void operator()(mg_context* server) const { mg_stop(server); }
};

namespace {

using Server = std::unique_ptr<mg_context, StopCivetweb>;

using Handlers = std::map<std::string, HttpHandler>;

// Descriptors that are looked at to find one of civetweb's.
constexpr int kMostDescriptors = 65'536;

std::string_view ReasonPhrase(int status) {
  switch (status) {
    case 200:
      return "OK";
    case 404:
      return "Not Found";
    case 405:
      return "Method Not Allowed";
    case 500:
      return "Internal Server Error";
    case 503:
      return "Service Unavailable";
    default:
      return "Error";
  }
}

enum class SendBody : std::uint8_t { kYes, kNo };

// One write for the whole answer. The connection is closed after it: an idle one would keep one of
// the few threads.
void Send(mg_connection* connection, const HttpReply& reply, SendBody send_body) {
  std::string text = "HTTP/1.1 " + std::to_string(reply.status) + " ";
  text.append(ReasonPhrase(reply.status)).append("\r\n");
  if (!reply.content_type.empty()) {
    text.append("Content-Type: ").append(reply.content_type).append("\r\n");
  }
  if (reply.status == 405) {
    text.append("Allow: GET, HEAD\r\n");
  }
  text.append("Content-Length: ").append(std::to_string(reply.body.size())).append("\r\n");
  text.append("Cache-Control: no-store\r\nConnection: close\r\n\r\n");
  if (send_body == SendBody::kYes) {
    text.append(reply.body);
  }
  (void)mg_write(connection, text.data(), text.size());
}

// What a handler throws must not reach civetweb, which is C.
HttpReply Ask(const HttpHandler& handler) {
  try {
    return handler();
  } catch (const std::exception&) {
    return {.status = 500, .content_type = "", .body = ""};
  }
}

int Answer(mg_connection* connection) {
  const mg_request_info& request = *mg_get_request_info(connection);
  const auto& handlers = *static_cast<const Handlers*>(request.user_data);
  const std::string_view method = request.request_method;
  const auto handler = handlers.find(request.local_uri == nullptr ? "" : request.local_uri);
  HttpReply reply{.status = 404, .content_type = "", .body = ""};
  if (handler != handlers.end()) {
    reply = method == "GET" || method == "HEAD"
                ? Ask(handler->second)
                : HttpReply{.status = 405, .content_type = "", .body = ""};
  }
  Send(connection, reply, method == "HEAD" ? SendBody::kNo : SendBody::kYes);
  return reply.status;
}

// civetweb's callbacks. Every request that can be parsed ends in Answer(), so that none of its own
// handlers (files, scripts) is ever reached.
int OnRequest(mg_connection* connection) {
  try {
    return Answer(connection);
  } catch (const std::exception&) {
    return 500;  // no memory for an answer; the connection is closed
  }
}

// A request that cannot be parsed, is too large or too slow: the status and nothing else, no echo
// of what was sent.
int OnError(mg_connection* connection, int status, const char* /*text*/) {
  try {
    Send(connection, {.status = status, .content_type = "", .body = ""}, SendBody::kYes);
  } catch (const std::exception&) {
    return 0;
  }
  return 0;
}

// civetweb would write to stderr, which belongs to the log stream.
int DropText(const mg_connection* /*connection*/, const char* /*text*/) {
  return 1;
}

// The descriptor that civetweb listens on: a TCP socket that listens on this port.
Result<int> FindListener(int port) {
  rlimit limit{};
  (void)::getrlimit(RLIMIT_NOFILE, &limit);
  const int end = static_cast<int>(std::min<rlim_t>(limit.rlim_cur, kMostDescriptors));
  for (int fd = 3; fd < end; ++fd) {
    int listening = 0;
    socklen_t size = sizeof listening;
    sockaddr_in address{};
    socklen_t address_size = sizeof address;
    if (::getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listening, &size) == 0 && listening != 0 &&
        ::getsockname(fd, reinterpret_cast<sockaddr*>(&address), &address_size) == 0 &&
        address.sin_family == AF_INET && ntohs(address.sin_port) == port) {
      return fd;
    }
  }
  return Error(ErrorCode::kInternal, "civetweb listens on no descriptor");
}

Server StartServer(const HttpBounds& bounds, Handlers& handlers) {
  const std::string threads = std::to_string(bounds.threads);
  const std::string milliseconds = std::to_string(bounds.request_time.count());
  const std::string header_bytes = std::to_string(bounds.header_bytes);
  // On loopback until our own socket takes its place.
  const std::array<const char*, 15> options = {"listening_ports",
                                               "127.0.0.1:0",
                                               "num_threads",
                                               threads.c_str(),
                                               "request_timeout_ms",
                                               milliseconds.c_str(),
                                               "max_request_size",
                                               header_bytes.c_str(),
                                               "enable_keep_alive",
                                               "no",
                                               "enable_directory_listing",
                                               "no",
                                               "enable_auth_domain_check",
                                               "no",
                                               nullptr};
  mg_callbacks callbacks{};
  callbacks.begin_request = OnRequest;
  callbacks.http_error = OnError;
  callbacks.log_message = DropText;
  callbacks.log_access = DropText;
  // mg_start() takes a pointer to non-const and does not write through it.
  auto** list = const_cast<const char**>(options.data());  // NOLINT(*-const-cast)
  return Server(mg_start(&callbacks, &handlers, list));
}

// Puts our listening socket under the number of civetweb's. The shutdown wakes the thread that
// waits for connections on the old one. Returns the number, which stays civetweb's to close.
Result<int> TakeOver(mg_context* server, const UniqueFd& socket) {
  mg_server_port port{};
  if (mg_get_server_ports(server, 1, &port) != 1) {
    return Error(ErrorCode::kInternal, "civetweb has no port");
  }
  const int theirs = BAOKMS_TRY(FindListener(port.port));
  (void)::shutdown(theirs, SHUT_RDWR);
  if (::dup3(socket.get(), theirs, O_CLOEXEC) < 0) {
    return Error(ErrorCode::kSystem, "dup3", errno);
  }
  return theirs;
}

}  // namespace

struct HttpListener::Impl {
  Handlers handlers;
  std::uint16_t port = 0;
  int listening = -1;  // civetweb's
  Server server;       // its threads end before the handlers do
};

Result<std::unique_ptr<HttpListener>> HttpListener::Start(
    const std::string& host,
    std::uint16_t port,
    std::map<std::string, HttpHandler> handlers,
    HttpBounds bounds) {
  const ListenSocket socket = BAOKMS_TRY(Listen(host, port));
  auto impl = std::make_unique<Impl>();
  impl->handlers = std::move(handlers);
  impl->port = socket.port;
  impl->server = StartServer(bounds, impl->handlers);
  if (impl->server == nullptr) {
    return Error(ErrorCode::kUnavailable, "civetweb did not start");
  }
  impl->listening = BAOKMS_TRY(TakeOver(impl->server.get(), socket.fd));
  return std::unique_ptr<HttpListener>(new HttpListener(std::move(impl)));
}

HttpListener::HttpListener(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {
}

HttpListener::~HttpListener() {
  // Wakes the thread that waits for connections; it would notice the end after two seconds only.
  (void)::shutdown(impl_->listening, SHUT_RDWR);
}

std::uint16_t HttpListener::port() const {
  return impl_->port;
}

}  // namespace baokms::supervisor
