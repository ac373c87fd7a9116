#include "supervisor/observe/http_listener.h"

#include <netinet/in.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstddef>
#include <cstring>
#include <exception>
#include <string_view>
#include <thread>
#include <utility>

#include "common/base/backoff.h"
#include "common/base/clock.h"
#include "common/base/error.h"
#include "common/base/event_loop.h"
#include "common/base/unique_fd.h"
#include "supervisor/observe/http_exchange.h"
#include "supervisor/observe/listen_socket.h"

namespace baokms::supervisor {
namespace {

using Handlers = std::map<std::string, HttpHandler>;

// Connections accepted before the loop serves other descriptors again.
constexpr int kBatch = 64;

// Returns the address of a peer without its port, as 16 bytes: IPv4 in its IPv6 form.
in6_addr AddressOf(const sockaddr_storage& peer) {
  in6_addr address{};
  if (peer.ss_family == AF_INET6) {
    std::memcpy(&address, reinterpret_cast<const char*>(&peer) + offsetof(sockaddr_in6, sin6_addr),
                sizeof address);
  } else {
    address.s6_addr[10] = 0xff;
    address.s6_addr[11] = 0xff;
    std::memcpy(&address.s6_addr[12],
                reinterpret_cast<const char*>(&peer) + offsetof(sockaddr_in, sin_addr),
                sizeof(in_addr));
  }
  return address;
}

// Belongs to the listener's thread, except for StartThread() and the destructor.
class Server final : public HttpListener {
 public:
  Server(std::unique_ptr<EventLoop> loop, ListenSocket socket, Handlers handlers, HttpBounds bounds)
      : port_(socket.port),
        loop_(std::move(loop)),
        listener_(std::move(socket.fd)),
        handlers_(std::move(handlers)),
        bounds_(bounds) {}

  ~Server() override {
    if (thread_.joinable()) {
      loop_->Stop();
      thread_.join();
    }
  }

  Status StartThread() {
    BAOKMS_TRY(Listen());
    try {
      // Fails only if epoll_wait(2) does. No request is answered then, which health checks detect.
      thread_ = std::thread([this] { (void)loop_->Run().has_value(); });
    } catch (const std::exception&) {
      return Error(ErrorCode::kUnavailable, "start the thread of an HTTP listener");
    }
    return {};
  }

  [[nodiscard]] std::uint16_t port() const override { return port_; }

 private:
  // Numbers only grow, so the first connection in the map is the oldest.
  using Number = std::uint64_t;

  struct Connection {
    Connection(UniqueFd descriptor,
               const in6_addr& from,
               const Handlers& handlers,
               std::uint32_t header_bytes)
        : fd(std::move(descriptor)), peer(from), exchange(handlers, header_bytes) {}

    [[nodiscard]] bool IsFrom(const in6_addr& address) const {
      return std::memcmp(&peer, &address, sizeof peer) == 0;
    }

    UniqueFd fd;
    in6_addr peer;
    HttpExchange exchange;
    std::string answer;  // empty while the request is being read
    std::size_t sent = 0;
    EventLoop::TimerId deadline = 0;
  };

  using Connections = std::map<Number, Connection>;

  Status Listen() {
    return loop_->Watch(listener_.get(), EPOLLIN, [this](std::uint32_t) { OnClients(); });
  }

  void OnClients() {
    for (int i = 0; i < kBatch; ++i) {
      sockaddr_storage peer{};
      socklen_t size = sizeof peer;
      UniqueFd fd(::accept4(listener_.get(), reinterpret_cast<sockaddr*>(&peer), &size,
                            SOCK_NONBLOCK | SOCK_CLOEXEC));
      if (fd.valid()) {
        Add(std::move(fd), AddressOf(peer));
      } else if (errno == EAGAIN) {
        return;
      } else if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
        MakeRoom();
        return;
      }
    }
  }

  // Without this, a level-triggered listener would make the loop spin.
  void MakeRoom() {
    if (!connections_.empty()) {
      Close(connections_.begin());
      return;
    }
    loop_->Unwatch(listener_.get());
    loop_->After(backoff::kAcceptAgain, [this] {
      if (!Listen()) {
        MakeRoom();
      }
    });
  }

  // An address that has its share displaces itself.
  void KeepBounds(const in6_addr& peer) {
    const auto is_from = [&peer](const auto& entry) {
      return entry.second.IsFrom(peer);
    };
    const auto count = std::ranges::count_if(connections_, is_from);
    if (static_cast<std::size_t>(count) >= bounds_.connections_per_address) {
      Close(std::ranges::find_if(connections_, is_from));
    } else if (connections_.size() >= bounds_.connections) {
      Close(connections_.begin());
    }
  }

  void Add(UniqueFd fd, const in6_addr& peer) {
    KeepBounds(peer);
    const Number number = ++last_;
    const int raw = fd.get();
    const auto added =
        connections_.try_emplace(number, std::move(fd), peer, handlers_, bounds_.header_bytes)
            .first;
    if (!loop_->Watch(raw, EPOLLIN, [this, number](std::uint32_t) { OnReady(number); })) {
      connections_.erase(added);
      return;
    }
    Postpone(added);
    OnReady(number);  // its request has often arrived already
  }

  void OnReady(Number number) {
    const auto found = connections_.find(number);
    if (found != connections_.end() && Receive(found) && !found->second.answer.empty()) {
      Send(found);
    }
  }

  // Reads and drops what follows the request: closing a socket with unread bytes would reset the
  // connection before the client has the response. Returns false if the connection is gone.
  bool Receive(Connections::iterator at) {
    Connection& connection = at->second;
    std::array<char, 16 * 1024> bytes{};
    const ssize_t size = ::recv(connection.fd.get(), bytes.data(), bytes.size(), 0);
    if (size == 0 || (size < 0 && errno != EAGAIN && errno != EINTR)) {
      Close(at);
      return false;
    }
    if (size > 0 && connection.answer.empty()) {
      const std::string_view received(bytes.data(), static_cast<std::size_t>(size));
      connection.answer = connection.exchange.Take(received).value_or("");
    }
    return true;
  }

  void Send(Connections::iterator at) {
    Connection& connection = at->second;
    const std::string_view rest = std::string_view(connection.answer).substr(connection.sent);
    if (rest.empty()) {
      return;
    }
    const ssize_t size =
        ::send(connection.fd.get(), rest.data(), rest.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    if (size < 0 && errno != EAGAIN && errno != EINTR) {
      Close(at);
      return;
    }
    connection.sent += size > 0 ? static_cast<std::size_t>(size) : 0;
    const bool done = connection.sent == connection.answer.size();
    if (done) {
      (void)::shutdown(connection.fd.get(), SHUT_WR);
    }
    if (size > 0) {
      Postpone(at);
    }
    if (!loop_->Modify(connection.fd.get(), done ? EPOLLIN : EPOLLIN | EPOLLOUT)) {
      Close(at);
    }
  }

  // Restarts the client's time limit.
  void Postpone(Connections::iterator at) {
    loop_->Cancel(at->second.deadline);
    at->second.deadline =
        loop_->After(bounds_.request_time, [this, number = at->first] { OnDeadline(number); });
  }

  void OnDeadline(Number number) {
    const auto found = connections_.find(number);
    if (found == connections_.end()) {
      return;
    }
    if (!found->second.answer.empty()) {
      Close(found);
      return;
    }
    found->second.answer = HttpExchange::TimedOut();
    Postpone(found);
    Send(found);
  }

  void Close(Connections::iterator at) {
    loop_->Cancel(at->second.deadline);
    loop_->Unwatch(at->second.fd.get());
    connections_.erase(at);
  }

  const std::uint16_t port_;
  std::unique_ptr<EventLoop> loop_;
  UniqueFd listener_;
  Handlers handlers_;
  HttpBounds bounds_;
  Connections connections_;
  Number last_ = 0;
  std::thread thread_;
};

}  // namespace

Result<std::unique_ptr<HttpListener>> HttpListener::Start(
    const std::string& host,
    std::uint16_t port,
    std::map<std::string, HttpHandler> handlers,
    HttpBounds bounds) {
  ListenSocket socket = BAOKMS_TRY(Listen(host, port));
  auto loop = BAOKMS_TRY(EventLoop::Create());
  auto server =
      std::make_unique<Server>(std::move(loop), std::move(socket), std::move(handlers), bounds);
  BAOKMS_TRY(server->StartThread());
  return std::unique_ptr<HttpListener>(std::move(server));
}

}  // namespace baokms::supervisor
