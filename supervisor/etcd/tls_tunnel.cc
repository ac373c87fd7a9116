#include "supervisor/etcd/tls_tunnel.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/types.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <climits>
#include <csignal>
#include <cstddef>
#include <cstdint>

#include <poll.h>

#include <span>
#include <utility>

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

namespace baokms::supervisor {
namespace {

using Clock = std::chrono::steady_clock;

// One TLS record.
constexpr std::size_t kChunk = 16 * 1024;

bool IsAddress(const std::string& host) {
  in6_addr address{};
  return ::inet_pton(AF_INET, host.c_str(), &address) == 1 ||
         ::inet_pton(AF_INET6, host.c_str(), &address) == 1;
}

// The name or address that the peer's certificate has to hold.
bool DemandPeer(SSL* ssl, const std::string& host) {
  if (IsAddress(host)) {
    return ::X509_VERIFY_PARAM_set1_ip_asc(::SSL_get0_param(ssl), host.c_str()) == 1;
  }
  std::string name = host;  // SSL_set_tlsext_host_name(3), without the macro's cast
  return ::SSL_set1_host(ssl, host.c_str()) == 1 &&
         ::SSL_ctrl(ssl, SSL_CTRL_SET_TLSEXT_HOSTNAME, TLSEXT_NAMETYPE_host_name, name.data()) == 1;
}

// What poll(2) has to wait for after SSL_ERROR_WANT_*; 0 for every other end of a call.
short EventsFor(int error) {
  return error == SSL_ERROR_WANT_READ    ? static_cast<short>(POLLIN)
         : error == SSL_ERROR_WANT_WRITE ? static_cast<short>(POLLOUT)
                                         : static_cast<short>(0);
}

// Empty when the peer has proved who it is.
std::string ShakeHands(SSL* ssl, int socket, Clock::time_point deadline) {
  for (;;) {
    ::ERR_clear_error();
    const int result = ::SSL_connect(ssl);
    if (result == 1) {
      return "";
    }
    pollfd wanted{.fd = socket, .events = EventsFor(::SSL_get_error(ssl, result)), .revents = 0};
    if (wanted.events == 0) {
      const long verdict = ::SSL_get_verify_result(ssl);
      return verdict == X509_V_OK ? "the TLS handshake failed"
                                  : std::string("the TLS handshake failed: ")
                                        .append(::X509_verify_cert_error_string(verdict));
    }
    const auto left =
        std::chrono::duration_cast<std::chrono::milliseconds>(deadline - Clock::now()).count();
    if (left <= 0 ||
        ::poll(&wanted, 1, static_cast<int>(std::min<std::int64_t>(left, INT_MAX))) == 0) {
      return "the TLS handshake took too long";
    }
  }
}

// What waits to be written at one end.
struct Pending {
  std::array<unsigned char, kChunk> bytes;
  std::size_t begin = 0;
  std::size_t end = 0;

  [[nodiscard]] bool empty() const { return begin == end; }
};

enum class Step : std::uint8_t { kDone, kBlocked, kEnd };

// Carries both directions until either end closes. One use.
class Carrier final {
 public:
  Carrier(SSL* ssl, int socket, int inner) : ssl_(ssl), socket_(socket), inner_(inner) {}

  void Run() {
    for (;;) {
      events_ = POLLIN;
      const std::array<Step, 4> steps = {FromPeer(), ToInner(), FromInner(), ToPeer()};
      if (std::ranges::find(steps, Step::kEnd) != steps.end()) {
        ::SSL_shutdown(ssl_);  // tells the peer; its answer is not waited for
        return;
      }
      if (std::ranges::find(steps, Step::kDone) == steps.end() && !Wait()) {
        return;
      }
    }
  }

 private:
  // A call on the TLS side ended with `result`.
  Step Classify(int result) {
    const short events = EventsFor(::SSL_get_error(ssl_, result));
    events_ = static_cast<short>(events_ | events);
    return events == 0 ? Step::kEnd : Step::kBlocked;
  }

  static Step StepFromErrno() {
    return errno == EAGAIN || errno == EINTR ? Step::kBlocked : Step::kEnd;
  }

  Step FromPeer() {
    if (!to_inner_.empty()) {
      return Step::kBlocked;
    }
    ::ERR_clear_error();
    const int count = ::SSL_read(ssl_, to_inner_.bytes.data(), static_cast<int>(kChunk));
    if (count <= 0) {
      return Classify(count);
    }
    to_inner_.begin = 0;
    to_inner_.end = static_cast<std::size_t>(count);
    return Step::kDone;
  }

  Step ToInner() {
    if (to_inner_.empty()) {
      return Step::kBlocked;
    }
    const ssize_t count = ::send(inner_, to_inner_.bytes.data() + to_inner_.begin,
                                 to_inner_.end - to_inner_.begin, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (count < 0) {
      return StepFromErrno();
    }
    to_inner_.begin += static_cast<std::size_t>(count);
    return Step::kDone;
  }

  Step FromInner() {
    if (!to_peer_.empty()) {
      return Step::kBlocked;
    }
    const ssize_t count = ::recv(inner_, to_peer_.bytes.data(), kChunk, MSG_DONTWAIT);
    if (count <= 0) {
      return count == 0 ? Step::kEnd : StepFromErrno();
    }
    to_peer_.begin = 0;
    to_peer_.end = static_cast<std::size_t>(count);
    return Step::kDone;
  }

  Step ToPeer() {
    if (to_peer_.empty()) {
      return Step::kBlocked;
    }
    ::ERR_clear_error();
    const int count = ::SSL_write(ssl_, to_peer_.bytes.data() + to_peer_.begin,
                                  static_cast<int>(to_peer_.end - to_peer_.begin));
    if (count <= 0) {
      return Classify(count);
    }
    to_peer_.begin += static_cast<std::size_t>(count);
    return Step::kDone;
  }

  // False when poll(2) fails for good.
  bool Wait() {
    const int inner_events = (to_peer_.empty() ? POLLIN : 0) | (to_inner_.empty() ? 0 : POLLOUT);
    // While the inner end is full there is no use in waking up for the peer.
    const int peer_events = to_inner_.empty() ? events_ : events_ & ~POLLIN;
    std::array<pollfd, 2> wanted = {{
        {.fd = peer_events == 0 ? -1 : socket_,
         .events = static_cast<short>(peer_events),
         .revents = 0},
        {.fd = inner_events == 0 ? -1 : inner_,
         .events = static_cast<short>(inner_events),
         .revents = 0},
    }};
    return ::poll(wanted.data(), wanted.size(), -1) > 0 || errno == EINTR;
  }

  SSL* ssl_;
  int socket_;
  int inner_;
  short events_ = 0;
  Pending to_inner_;
  Pending to_peer_;
};

}  // namespace

void TlsTunnel::Free::operator()(SSL* ssl) const {
  ::SSL_free(ssl);
}

std::variant<std::unique_ptr<TlsTunnel>, std::string> TlsTunnel::Open(const TlsClient& client,
                                                                      UniqueFd connected,
                                                                      const std::string& host,
                                                                      Clock::time_point deadline) {
  if (std::signal(SIGPIPE, SIG_IGN) == SIG_ERR) {
    return "SIGPIPE cannot be ignored";
  }
  Connection ssl(::SSL_new(client.context()));
  if (ssl == nullptr || ::SSL_set_fd(ssl.get(), connected.get()) != 1 ||
      !DemandPeer(ssl.get(), host)) {
    return "TLS cannot be set up";
  }
  if (std::string problem = ShakeHands(ssl.get(), connected.get(), deadline); !problem.empty()) {
    return problem;
  }
  std::array<int, 2> pair{};
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair.data()) != 0) {
    return "no descriptors are left";
  }
  std::unique_ptr<TlsTunnel> tunnel(
      new TlsTunnel(std::move(ssl), std::move(connected), UniqueFd(pair[0]), UniqueFd(pair[1])));
  tunnel->thread_ = std::thread([self = tunnel.get()] { self->Carry(); });
  return tunnel;
}

void TlsTunnel::Carry() {
  Carrier(ssl_.get(), socket_.get(), inner_.get()).Run();
  // Whoever holds the plain end sees the end too.
  ::shutdown(inner_.get(), SHUT_RDWR);
}

TlsTunnel::~TlsTunnel() {
  ::shutdown(inner_.get(), SHUT_RDWR);
  if (thread_.joinable()) {
    thread_.join();
  }
}

}  // namespace baokms::supervisor
