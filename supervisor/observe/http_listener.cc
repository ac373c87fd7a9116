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

// Connections accepted before the loop serves other descriptors again: far fewer than displace
// somebody, so that a request that has arrived is answered first.
constexpr int kBatch = 16;

using Address = std::array<std::uint8_t, sizeof(in6_addr)>;

// Returns the address of a peer without its port: IPv4 in its IPv6 form.
Address AddressOf(const sockaddr_storage& peer) {
  Address address{};
  const char* const bytes = reinterpret_cast<const char*>(&peer);
  if (peer.ss_family == AF_INET6) {
    std::memcpy(address.data(), bytes + offsetof(sockaddr_in6, sin6_addr), address.size());
  } else {
    address[10] = 0xff;
    address[11] = 0xff;
    std::memcpy(&address[12], bytes + offsetof(sockaddr_in, sin_addr), sizeof(in_addr));
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
               const Address& from,
               const Handlers& handlers,
               std::uint32_t header_bytes)
        : fd(std::move(descriptor)), peer(from), exchange(handlers, header_bytes) {}

    UniqueFd fd;
    Address peer;
    HttpExchange exchange;
    std::string answer;  // empty while the request is being read
    std::size_t sent = 0;
    BootTime since{};  // accepted, or sent something
    EventLoop::TimerId check = 0;
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
        OnNoDescriptor();
        return;
      }
    }
  }

  // Without this, a level-triggered listener would make the loop spin.
  void OnNoDescriptor() {
    if (!connections_.empty()) {
      MakeRoom();
      return;
    }
    loop_->Unwatch(listener_.get());
    loop_->After(backoff::kAcceptAgain, [this] {
      if (!Listen()) {
        OnNoDescriptor();
      }
    });
  }

  // A crowd displaces itself: the oldest connection of the address with the most of them leaves.
  void MakeRoom() {
    const auto most = std::ranges::max_element(per_address_, {}, [](const auto& entry) {
                        return entry.second;
                      })->second;
    Close(std::ranges::find_if(
        connections_, [&](const auto& entry) { return per_address_[entry.second.peer] == most; }));
  }

  void Add(UniqueFd fd, const Address& peer) {
    if (connections_.size() >= bounds_.connections) {
      MakeRoom();
    }
    const Number number = ++last_;
    const int raw = fd.get();
    const auto added =
        connections_.try_emplace(number, std::move(fd), peer, handlers_, bounds_.header_bytes)
            .first;
    if (!loop_->Watch(raw, EPOLLIN, [this, number](std::uint32_t) { OnReady(number); })) {
      connections_.erase(added);
      return;
    }
    ++per_address_[peer];
    RestartTime(added);
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
      RestartTime(at);
    }
    if (!loop_->Modify(connection.fd.get(), done ? EPOLLIN : EPOLLIN | EPOLLOUT)) {
      Close(at);
    }
  }

  void RestartTime(Connections::iterator at) {
    at->second.since = BootNow();
    CheckLater(at);
  }

  // The limit may have become the one of a crowd by then.
  void CheckLater(Connections::iterator at) {
    loop_->Cancel(at->second.check);
    at->second.check = loop_->After(std::min(bounds_.crowd_time, bounds_.request_time),
                                    [this, number = at->first] { CheckTime(number); });
  }

  void CheckTime(Number number) {
    const auto at = connections_.find(number);
    const bool crowd = per_address_[at->second.peer] > bounds_.crowd;
    const BootTime limit = crowd ? bounds_.crowd_time : bounds_.request_time;
    if (BootNow() - at->second.since < limit) {
      CheckLater(at);
    } else if (!at->second.answer.empty()) {
      Close(at);
    } else {
      at->second.answer = HttpExchange::TimedOut();
      RestartTime(at);
      Send(at);
    }
  }

  void Close(Connections::iterator at) {
    loop_->Cancel(at->second.check);
    loop_->Unwatch(at->second.fd.get());
    if (const auto count = per_address_.find(at->second.peer); --count->second == 0) {
      per_address_.erase(count);
    }
    connections_.erase(at);
  }

  const std::uint16_t port_;
  std::unique_ptr<EventLoop> loop_;
  UniqueFd listener_;
  Handlers handlers_;
  HttpBounds bounds_;
  Connections connections_;
  std::map<Address, std::size_t> per_address_;  // how many connections_ it has
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
