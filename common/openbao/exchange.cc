#include "common/openbao/exchange.h"

#include <algorithm>
#include <utility>

#include <curl/curl.h>

#include "common/openbao/http_limits.h"

namespace baokms::openbao {
namespace {

std::string Bracketed(const std::string& host) {
  return host.find(':') == std::string::npos ? host : "[" + host + "]";
}

// libcurl checks the certificate against the URL's host, so that is the server name. The name that
// CONNECT_TO gives keeps the endpoints' connections apart; it is never connected to, because every
// socket comes from the connector.
Route MakeRoute(const ClientOptions& options, std::size_t index) {
  const Endpoint& endpoint = options.endpoints[index];
  const std::string port = std::to_string(endpoint.port);
  const std::string shown_port = endpoint.port == 443 ? "" : ":" + port;
  return {
      .base_url =
          "https://" + Bracketed(options.server_name) + ":" + port + endpoint.path_prefix + "/v1/",
      .connect_to = "::192.0.2." + std::to_string(index + 1) + ":",
      .host_header = "Host: " + Bracketed(endpoint.host) + shown_port,
  };
}

bool IsServerName(std::string_view name) {
  return !name.empty() && std::all_of(name.begin(), name.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
           c == '-' || c == '_' || c == ':';
  });
}

bool IsUrlText(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return c > ' ' && c < '\x7f'; });
}

bool IsHeaderText(std::string_view text) {
  return std::none_of(text.begin(), text.end(),
                      [](char c) { return static_cast<unsigned char>(c) < ' ' || c == '\x7f'; });
}

bool IsEndpoint(const Endpoint& endpoint) {
  return endpoint.port != 0 && IsServerName(endpoint.host) &&
         (endpoint.path_prefix.empty() ||
          (endpoint.path_prefix.front() == '/' && IsUrlText(endpoint.path_prefix)));
}

bool AreUsable(const ClientOptions& options) {
  return !options.endpoints.empty() && options.endpoints.size() <= kMaxEndpoints &&
         std::all_of(options.endpoints.begin(), options.endpoints.end(), IsEndpoint) &&
         IsServerName(options.server_name) && options.max_connections >= 1 &&
         options.max_connections <= kMaxConnections && IsHeaderText(options.namespace_path);
}

bool Contains(const std::vector<Peer>& peers, const std::optional<Peer>& peer) {
  return peer.has_value() && std::find(peers.begin(), peers.end(), *peer) != peers.end();
}

}  // namespace

Result<std::unique_ptr<Exchange>> Exchange::Create(EventLoop& loop,
                                                   Connector& connector,
                                                   const ClientOptions& options) {
  if (!AreUsable(options)) {
    return Error(ErrorCode::kInvalidArgument, "OpenBao client options");
  }
  std::unique_ptr<CurlLibrary> library = BAOKMS_TRY(CurlLibrary::Create());
  TlsRoots roots = BAOKMS_TRY(TlsRoots::Parse(options.ca_pem));
  std::unique_ptr<Exchange> exchange(
      new Exchange(loop, connector, options, std::move(library), std::move(roots)));
  exchange->multi_ = BAOKMS_TRY(CurlMulti::Create(loop, *exchange, options.max_connections));
  Transfer* first = exchange->AcquireTransfer();
  if (first == nullptr) {
    return Error(ErrorCode::kInternal, "libcurl cannot be set up");
  }
  exchange->free_transfers_.push_back(first);
  return exchange;
}

Exchange::Exchange(EventLoop& loop,
                   Connector& connector,
                   const ClientOptions& options,
                   std::unique_ptr<CurlLibrary> library,
                   TlsRoots roots)
    : loop_(loop),
      connector_(connector),
      max_connections_(options.max_connections),
      library_(std::move(library)),
      roots_(std::move(roots)),
      connections_(connector, options.endpoints.size()),
      dials_(loop, connector, *this, options.endpoints.size()),
      running_(options.endpoints.size()),
      jitter_(static_cast<std::minstd_rand::result_type>(BootNow().count())) {
  if (!options.namespace_path.empty()) {
    namespace_header_ = "X-Vault-Namespace: " + options.namespace_path;
  }
  for (std::size_t i = 0; i < options.endpoints.size(); ++i) {
    routes_.push_back(MakeRoute(options, i));
  }
}

Exchange::~Exchange() {
  loop_.Cancel(alarm_);
  for (const auto& [id, call] : calls_) {
    if (call->transfer != nullptr) {
      connections_.Silence(call->transfer->descriptor());
      multi_->Remove(call->transfer->handle());
    }
  }
  const std::unique_ptr<CurlMulti> ending = std::move(multi_);  // closes connections: CloseSocket()
}

CallId Exchange::Submit(NewCall what) {
  const CallId id = ++last_id_;
  const BootTime now = BootNow();
  auto owned = std::make_unique<Call>();
  Call& call = *owned;
  call.id = id;
  call.what = std::move(what);
  if (call.what.refusal == ErrorClass::kOk && call.what.deadline <= now) {
    call.what.refusal = ErrorClass::kTimeout;
  }
  if (calls_.size() >= kMaxCalls) {
    call.what.refusal = ErrorClass::kUnavailable;
  }
  calls_.emplace(id, std::move(owned));
  if (call.what.refusal != ErrorClass::kOk) {
    call.phase = Call::Phase::kRefused;
    WakeAt(call, now);
    return id;
  }
  call.connect_limit = (call.what.deadline - now) / 3;
  call.first_endpoint = call.endpoint = preferred_endpoint_;
  call.need = call.what.use == ConnectionUse::kFresh ? Call::Need::kOwn : Call::Need::kAny;
  WakeAt(call, call.what.deadline);
  waiting_.push_back(&call);
  Pump();
  return id;
}

void Exchange::Cancel(CallId id) {
  const auto found = calls_.find(id);
  if (found == calls_.end()) {
    return;
  }
  Call& call = *found->second;
  if (call.transfer != nullptr) {
    connections_.Silence(call.transfer->descriptor());
  }
  if (call.dial != nullptr) {
    dials_.MakeSpare(*std::exchange(call.dial, nullptr));
  }
  StopAttempt(call);
  calls_.erase(found);
  Pump();
}

void Exchange::Enqueue(Call& call) {
  call.phase = Call::Phase::kWaiting;
  waiting_.push_front(&call);  // it has waited before
  WakeAt(call, call.what.deadline);
}

void Exchange::Pump() {
  for (std::size_t i = 0; i < waiting_.size();) {
    Call& call = *waiting_[i];
    if (Serve(call)) {
      waiting_.erase(waiting_.begin() + static_cast<std::ptrdiff_t>(i));
    } else {
      ++i;
    }
  }
}

// True when the call needs to wait no longer.
bool Exchange::Serve(Call& call) {
  if (call.need == Call::Need::kAny && connections_.live(call.endpoint) > running_[call.endpoint]) {
    Start(call, ConnectionMode::kPooled);
    return true;
  }
  if (call.dial != nullptr) {
    return false;
  }
  ConnectAttempt* dial = call.attempt == 0 ? dials_.Reuse(call.endpoint, call) : nullptr;
  if (dial == nullptr && MayDial(call)) {
    dial = &dials_.Ask(call.endpoint, call.attempt, call);
  }
  if (dial == nullptr) {
    return false;
  }
  AwaitDial(call, *dial);
  if (dial->request != 0) {
    return false;
  }
  call.dial = nullptr;
  call.socket = dials_.Take(*dial);
  Start(call, ConnectionMode::kNew);
  return true;
}

bool Exchange::MayDial(const Call& call) const {
  const std::uint32_t reserve = call.need == Call::Need::kOwn ? kFreshReserve : 0;
  return connections_.live(call.endpoint) + dials_.count(call.endpoint) <
         max_connections_ + reserve;
}

void Exchange::AwaitDial(Call& call, ConnectAttempt& dial) {
  const BootTime now = BootNow();
  call.dial = &dial;
  call.connecting = true;
  call.on_idle_connection = false;
  call.attempt_began = call.connect_began = now;
  WakeAt(call, std::min(call.what.deadline, now + call.connect_limit));
}

void Exchange::SocketCame(ConnectAttempt& dial) {
  if (dial.owner == nullptr) {
    Pump();  // gives it to the first call that waits for any connection
    return;
  }
  Call& call = *dial.owner;
  call.dial = nullptr;
  call.socket = dials_.Take(dial);
  std::erase(waiting_, &call);
  Start(call, ConnectionMode::kNew);
}

void Exchange::SocketFailed(Call* owner, ErrorClass error_class) {
  if (owner != nullptr) {
    owner->dial = nullptr;
    std::erase(waiting_, owner);
    if (error_class == ErrorClass::kLoginBudgetUsedUp) {
      // No exchange took place; what an earlier attempt met is what the caller needs to know.
      Complete(*owner, owner->attempts > 0 ? owner->last_error : error_class);
      return;
    }
    EndAttempt(*owner, {.error_class = error_class, .remedy = Remedy::kOtherAddress}, {});
  }
  Pump();
}

// Puts the call on the wire. The caller takes it out of waiting_.
void Exchange::Start(Call& call, ConnectionMode mode) {
  if (mode == ConnectionMode::kPooled) {
    if (call.dial != nullptr) {
      dials_.MakeSpare(*std::exchange(call.dial, nullptr));
    }
    call.connecting = false;
    call.on_idle_connection = true;
    call.attempt_began = BootNow();
    WakeAt(call, call.what.deadline);
  } else if (call.what.use == ConnectionUse::kFresh) {
    mode = ConnectionMode::kNewOnce;
  }
  call.phase = Call::Phase::kRunning;
  call.request_began = BootTime::zero();
  call.socket_id = 0;
  call.peer.reset();
  call.peer_was_refused = false;
  call.transfer = AcquireTransfer();
  ++running_[call.endpoint];
  if (call.transfer != nullptr &&
      call.transfer->Prepare(call, routes_[call.endpoint], call.what.request, mode) &&
      multi_->Add(call.transfer->handle())) {
    return;
  }
  --running_[call.endpoint];
  ReleaseTransfer(call);
  call.socket.fd.reset();
  call.what.refusal = ErrorClass::kUnavailable;
  call.phase = Call::Phase::kRefused;
  WakeAt(call, BootNow());
}

Transfer* Exchange::AcquireTransfer() {
  if (!free_transfers_.empty()) {
    Transfer* const transfer = free_transfers_.back();
    free_transfers_.pop_back();
    return transfer;
  }
  Result<std::unique_ptr<Transfer>> made = Transfer::Create(*this, roots_, namespace_header_);
  if (!made.has_value()) {
    return nullptr;
  }
  transfers_.push_back(std::move(made).value());
  return transfers_.back().get();
}

void Exchange::ReleaseTransfer(Call& call) {
  if (call.transfer != nullptr) {
    call.transfer->Finish();
    free_transfers_.push_back(std::exchange(call.transfer, nullptr));
  }
}

int Exchange::TakeSocket(Transfer& transfer) {
  Call& call = *transfer.call();
  return call.socket.fd.valid() ? connections_.Adopt(std::move(call.socket), call.endpoint) : -1;
}

void Exchange::CloseSocket(int fd) {
  if (multi_ != nullptr) {
    multi_->Forget(fd);
  } else {
    loop_.Unwatch(fd);  // from the destructor
  }
  connections_.Close(fd);
}

TransferHost::Decision Exchange::BeginRequest(Transfer& transfer) {
  Call& call = *transfer.call();
  const void* const tls = transfer.tls_session();
  if (const int known = connections_.Find(tls); known >= 0) {
    transfer.set_descriptor(known);  // an idle one; a new one was noted by TakeSocket()
  }
  const int fd = transfer.descriptor();
  if (!call.refused_peers.empty() && Contains(call.refused_peers, Connections::PeerOf(fd))) {
    call.peer_was_refused = true;
    return Decision::kAbandon;
  }
  connections_.NoteUsable(fd, tls);
  const BootTime now = BootNow();
  if (call.connecting) {
    AddConnectTime(call, now);
    WakeAt(call, call.what.deadline);
  }
  call.request_began = now;
  return Decision::kGoOn;
}

// What a proxy, a standby, a sealed or a broken server answers with: the connection would lead to
// the same place again, so it is not kept.
void Exchange::BeginAnswer(Transfer& transfer) {
  const long status = transfer.status();
  if ((status >= 300 && status < 400) || status >= 500) {
    Call& call = *transfer.call();
    transfer.RetireConnection();
    call.socket_id = connections_.SocketId(transfer.descriptor());
    call.peer = Connections::PeerOf(transfer.descriptor());
  }
}

}  // namespace baokms::openbao
