#include "supervisor/broker/broker.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstddef>
#include <utility>

#include "common/base/error.h"
#include "ipc/limits.h"

namespace baokms::supervisor {
namespace {

// How long the resolver's answer is reused: long enough that a burst of connections needs one
// lookup, short enough that a moved OpenBao is found immediately.
constexpr BootTime kAddressLifetime = std::chrono::seconds(1);

// Maximum number of connections of one child whose report is still expected. A worker has at most
// 64 to each address of OpenBao, so most of them have long been closed by the time this many were
// opened; the oldest one is forgotten.
constexpr std::size_t kMaxRemembered = 1024;

// How long a lookup may continue for later requests after earlier ones were told that the name did
// not resolve: a long search list on slow servers takes this long in the C library as well (5 s and
// two attempts by default).
constexpr BootTime kLookupTimeout = std::chrono::seconds(10);

constexpr int kUserTimeoutMs = 3000;

// How long connections may be in vain before somebody looks why.
constexpr BootTime kInVain = std::chrono::milliseconds(kUserTimeoutMs);

Status SetOption(int fd, int level, int name, int value) {
  return CheckSyscall(::setsockopt(fd, level, name, &value, sizeof value), "setsockopt");
}

// Returns a non-blocking TCP socket on which connect(2) was called, with TCP_NODELAY and a
// TCP_USER_TIMEOUT of 3 s (tcp(7)), so that a dead peer is detected within a request's time.
Result<UniqueFd> StartConnect(const SocketAddress& address) {
  UniqueFd fd(
      ::socket(address.storage.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_TCP));
  if (!fd.valid()) {
    return Error(ErrorCode::kSystem, "socket", errno);
  }
  BAOKMS_TRY(SetOption(fd.get(), IPPROTO_TCP, TCP_NODELAY, 1));
  BAOKMS_TRY(SetOption(fd.get(), IPPROTO_TCP, TCP_USER_TIMEOUT, kUserTimeoutMs));
  BAOKMS_TRY(SetOption(fd.get(), SOL_SOCKET, SO_KEEPALIVE, 1));
  // connect(2) takes every address type through this cast, for which sockaddr_storage is designed.
  const auto* target = reinterpret_cast<const sockaddr*>(&address.storage);
  if (::connect(fd.get(), target, address.size) != 0 && errno != EINPROGRESS) {
    return Error(ErrorCode::kUnavailable, "connect", errno);
  }
  return fd;
}

// The word for a connect(2) that failed at once. Without a free port on this machine there is
// nothing that OpenBao or the network could mend.
std::string_view WordFor(const Error& failure) {
  return failure.sys_errno() == EADDRNOTAVAIL ? "no_local_port" : "connection_failed";
}

// Tries it with an empty UDP datagram to the same port: for TCP the kernel does not tell, and the
// connection times out.
bool IsSendingRefused(const SocketAddress& address) {
  const UniqueFd fd(
      ::socket(address.storage.ss_family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  const auto* target = reinterpret_cast<const sockaddr*>(&address.storage);
  return fd.valid() && ::connect(fd.get(), target, address.size) == 0 &&
         ::send(fd.get(), "", 0, MSG_NOSIGNAL) < 0 && errno == EPERM;
}

}  // namespace

Result<std::unique_ptr<Broker>> Broker::Create(EventLoop& loop,
                                               Metrics& metrics,
                                               std::vector<BrokerEndpoint> endpoints,
                                               BootTime connect_timeout) {
  // Shared because a std::function must be copyable; the broker holds the only copy.
  const std::shared_ptr<Resolver> resolver = BAOKMS_TRY(Resolver::Create(loop));
  return std::make_unique<Broker>(
      loop,
      [resolver](const std::string& host, std::uint16_t port, BootTime limit,
                 Resolver::Callback callback) {
        resolver->Resolve(host, port, limit, std::move(callback));
      },
      metrics, std::move(endpoints), connect_timeout);
}

Broker::Broker(EventLoop& loop,
               LookUpName look_up,
               Metrics& metrics,
               std::vector<BrokerEndpoint> endpoints,
               BootTime connect_timeout)
    : loop_(loop),
      look_up_(std::move(look_up)),
      metrics_(metrics),
      connect_timeout_(connect_timeout) {
  for (BrokerEndpoint& endpoint : endpoints) {
    endpoints_.push_back({.endpoint = std::move(endpoint)});
  }
}

Broker::~Broker() {
  for (const EndpointState& state : endpoints_) {
    loop_.Cancel(state.answer_timer);
  }
}

void Broker::Connect(std::string_view asked_by,
                     const ipc::ConnectRequest& request,
                     const Callback& callback) {
  if (request.endpoint() >= endpoints_.size() ||
      static_cast<std::size_t>(request.tried_size()) > ipc::kMaxAddresses) {
    callback({.outcome = ipc::OUTCOME_INVALID_REQUEST});
    return;
  }
  EndpointState& state = endpoints_[request.endpoint()];
  if (!state.addresses.empty() && BootNow() - state.resolved_at < kAddressLifetime) {
    ConnectNow(std::string(asked_by), request, callback);
    return;
  }
  state.waiting.emplace_back([this, who = std::string(asked_by), request, callback] {
    ConnectNow(who, request, callback);
  });
  LookUp(request.endpoint());
}

void Broker::LookUp(std::uint32_t endpoint) {
  EndpointState& state = endpoints_[endpoint];
  if (state.answer_timer == 0) {
    state.answer_timer =
        loop_.After(connect_timeout_, [this, endpoint] { AnswerWaiting(endpoint); });
  }
  if (std::exchange(state.looking_up, true)) {
    return;
  }
  look_up_(state.endpoint.host, state.endpoint.port, std::max(kLookupTimeout, connect_timeout_),
           [this, endpoint](const std::vector<SocketAddress>& addresses) {
             EndpointState& resolved = endpoints_[endpoint];
             resolved.looking_up = false;
             // A name server that is down does not invalidate known addresses.
             if (!addresses.empty()) {
               resolved.addresses.Replace(addresses);
               resolved.resolved_at = BootNow();
             }
             AnswerWaiting(endpoint);
           });
}

// Answers the waiting requests with the addresses that are known now.
void Broker::AnswerWaiting(std::uint32_t endpoint) {
  EndpointState& state = endpoints_[endpoint];
  loop_.Cancel(std::exchange(state.answer_timer, 0));
  for (const auto& next : std::exchange(state.waiting, {})) {
    next();
  }
}

void Broker::ConnectNow(const std::string& asked_by,
                        const ipc::ConnectRequest& request,
                        const Callback& callback) {
  EndpointState& state = endpoints_[request.endpoint()];
  if (state.addresses.empty()) {
    metrics_.BrokerConnection(request.endpoint(), "dns_failed");
    callback({.outcome = ipc::OUTCOME_DNS_FAILED});
    return;
  }
  const auto choice = state.addresses.Pick(
      {request.tried().data(), static_cast<std::size_t>(request.tried_size())});
  if (!choice) {
    callback({.outcome = ipc::OUTCOME_CONNECTION_FAILED});
    return;
  }
  Asker& asker = askers_[asked_by];
  if (!asker.starts.Take(BootNow())) {
    metrics_.BrokerConnection(request.endpoint(), "over_rate");
    callback({.outcome = ipc::OUTCOME_CONNECTION_FAILED});
    return;
  }
  Result<UniqueFd> socket = StartConnect(choice->address);
  metrics_.BrokerConnection(request.endpoint(), socket ? "started" : WordFor(socket.error()));
  BrokerAnswer answer{.address = choice->number, .untried = choice->untried};
  if (socket) {
    answer.outcome = ipc::OUTCOME_OK;
    answer.socket = std::move(*socket);
    answer.blocked = IsBlocked(state, choice->address);
    Remember(asker, request.id(), {.endpoint = request.endpoint(), .address = choice->number});
  } else {
    state.addresses.NoteUnusable(choice->number);
  }
  callback(std::move(answer));
}

bool Broker::IsBlocked(EndpointState& state, const SocketAddress& address) {
  const BootTime now = BootNow();
  const BootTime since = state.in_vain_since.value_or(now);
  state.in_vain_since = since;
  return now - since >= kInVain && looks_.Take(now) && IsSendingRefused(address);
}

void Broker::Remember(Asker& asker, std::uint64_t id, Connection connection) {
  std::map<std::uint64_t, Connection>& own = asker.connections;
  if (own.size() >= kMaxRemembered) {
    own.erase(own.begin());
  }
  own[id] = connection;
}

void Broker::Forget(std::string_view asked_by) {
  if (const auto asker = askers_.find(asked_by); asker != askers_.end()) {
    asker->second.connections.clear();
  }
}

void Broker::TakeReport(std::string_view asked_by, const ipc::ConnectReport& report) {
  const auto asker = askers_.find(asked_by);
  if (asker == askers_.end()) {
    return;
  }
  std::map<std::uint64_t, Connection>& own = asker->second.connections;
  const auto found = own.find(report.id());
  if (found == own.end() || (report.usable() && found->second.usable)) {
    return;
  }
  found->second.usable = true;
  const Connection connection = found->second;
  AddressList& addresses = endpoints_[connection.endpoint].addresses;
  metrics_.BrokerConnection(connection.endpoint, report.usable() ? "usable" : "unusable");
  if (report.usable()) {
    endpoints_[connection.endpoint].in_vain_since.reset();
    addresses.NoteUsable(connection.address);
  } else {
    addresses.NoteUnusable(connection.address);
    own.erase(found);  // an unusable connection never becomes usable again
  }
}

}  // namespace baokms::supervisor
