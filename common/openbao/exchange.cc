#include "common/openbao/exchange.h"

#include <algorithm>
#include <utility>

#include <curl/curl.h>

namespace baokms::openbao {
namespace {

bool Contains(const std::vector<Peer>& peers, const std::optional<Peer>& peer) {
  return peer && std::find(peers.begin(), peers.end(), *peer) != peers.end();
}

}  // namespace

Result<std::unique_ptr<Exchange>> Exchange::Create(EventLoop& loop,
                                                   Connector& connector,
                                                   ExchangeOptions options) {
  std::unique_ptr<CurlLibrary> library = BAOKMS_TRY(CurlLibrary::Create());
  TlsRoots roots = BAOKMS_TRY(TlsRoots::Parse(options.ca_pem));
  std::unique_ptr<Exchange> exchange(
      new Exchange(loop, connector, std::move(options), std::move(library), std::move(roots)));
  exchange->multi_ = BAOKMS_TRY(CurlMulti::Create(
      loop, [raw = exchange.get()](void* easy, int curl_code) { raw->Finished(easy, curl_code); },
      exchange->max_connections_));
  Transfer* first = exchange->AcquireTransfer();
  if (first == nullptr) {
    return Error(ErrorCode::kInternal, "libcurl cannot be set up");
  }
  exchange->free_transfers_.push_back(first);
  return exchange;
}

Exchange::Exchange(EventLoop& loop,
                   Connector& connector,
                   ExchangeOptions options,
                   std::unique_ptr<CurlLibrary> library,
                   TlsRoots roots)
    : loop_(loop),
      connector_(connector),
      max_connections_(options.max_connections),
      max_calls_(options.max_calls),
      routes_(std::move(options.routes)),
      library_(std::move(library)),
      roots_(std::move(roots)),
      connections_(connector, routes_.size()),
      socket_requests_(loop,
                       connector,
                       {.arrived = [this](SocketRequest& request) { SocketCame(request); },
                        .failed =
                            [this](PendingCall* owner, const SocketAnswer& answer) {
                              SocketFailed(owner, answer);
                            }},
                       options.first_endpoint,
                       routes_.size()),
      running_(routes_.size()),
      address_count_(routes_.size()) {
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
  auto owned = std::make_unique<PendingCall>();
  PendingCall& call = *owned;
  call.id = id;
  call.what = std::move(what);
  if (call.what.refusal == ErrorClass::kOk && call.what.deadline <= now) {
    call.what.refusal = ErrorClass::kTimeout;
  }
  if (calls_.size() >= max_calls_) {
    call.what.refusal = ErrorClass::kUnavailable;
  }
  calls_.emplace(id, std::move(owned));
  if (call.what.refusal != ErrorClass::kOk) {
    call.phase = PendingCall::Phase::kRefused;
    WakeAt(call, now);
    return id;
  }
  call.connect_timeout = (call.what.deadline - now) / 3;
  call.need =
      call.what.use == ConnectionUse::kFresh ? PendingCall::Need::kOwn : PendingCall::Need::kAny;
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
  PendingCall& call = *found->second;
  if (call.transfer != nullptr) {
    connections_.Silence(call.transfer->descriptor());
  }
  if (call.socket_request != nullptr) {
    socket_requests_.MakeSpare(*std::exchange(call.socket_request, nullptr));
  }
  StopAttempt(call);
  calls_.erase(found);
  Pump();
}

void Exchange::Enqueue(PendingCall& call) {
  call.phase = PendingCall::Phase::kWaiting;
  waiting_.push_front(&call);  // it has waited before
  WakeAt(call, call.what.deadline);
}

void Exchange::Pump() {
  for (std::size_t i = 0; i < waiting_.size();) {
    PendingCall& call = *waiting_[i];
    if (Serve(call)) {
      waiting_.erase(waiting_.begin() + static_cast<std::ptrdiff_t>(i));
    } else {
      ++i;
    }
  }
}

// Returns true when the call does not have to wait any longer.
bool Exchange::Serve(PendingCall& call) {
  if (call.attempt_count == 0 && call.socket_request == nullptr && call.search.tried().empty()) {
    call.search.Begin(preferred_endpoint_, static_cast<std::uint32_t>(routes_.size()));
  }
  const std::uint32_t endpoint = call.search.endpoint();
  if (call.need == PendingCall::Need::kAny && connections_.live(endpoint) > running_[endpoint]) {
    Start(call, ConnectionMode::kPooled);
    return true;
  }
  if (call.socket_request != nullptr) {
    return false;
  }
  SocketRequest* request =
      call.search.tried().empty() ? socket_requests_.Reuse(endpoint, call) : nullptr;
  if (request == nullptr && MayConnect(call)) {
    request = &socket_requests_.Ask(endpoint, call.search.tried(), call);
  }
  if (request == nullptr) {
    return false;
  }
  AwaitSocket(call, *request);
  if (request->id != 0) {
    return false;
  }
  TakeAnswer(call, socket_requests_.Take(*request));
  Start(call, ConnectionMode::kNew);
  return true;
}

bool Exchange::MayConnect(const PendingCall& call) const {
  const std::uint32_t endpoint = call.search.endpoint();
  const std::uint32_t reserve = call.need == PendingCall::Need::kOwn ? kFreshReserve : 0;
  return connections_.live(endpoint) + socket_requests_.count(endpoint) <
         max_connections_ + reserve;
}

void Exchange::AwaitSocket(PendingCall& call, SocketRequest& request) {
  call.socket_request = &request;
  call.connecting = true;
  call.on_idle_connection = false;
  call.attempt_began = call.connect_began = BootNow();
  LimitConnecting(call);
}

void Exchange::TakeAnswer(PendingCall& call, SocketAnswer answer) {
  call.socket_request = nullptr;
  call.socket = std::move(answer.socket);
  call.address = answer.address;
  NoteAddress(call, answer);
  LimitConnecting(call);  // the number of addresses is now known
}

void Exchange::NoteAddress(PendingCall& call, const SocketAnswer& answer) {
  call.search.Note(answer.address, answer.untried);
  if (answer.address != 0) {
    address_count_[call.search.endpoint()] =
        static_cast<std::uint32_t>(call.search.tried().size()) + answer.untried;
  }
}

// A connection attempt may take a third of the call's time. If untried addresses remain, it may
// take only an equal share of the remaining time, where the exchange itself counts as one more
// share. The first address, which normally worked before, has the time for a slow handshake.
void Exchange::LimitConnecting(PendingCall& call) {
  const std::uint32_t others = call.search.remaining();
  BootTime limit = call.connect_timeout;
  if (others > 0) {
    const BootTime share = (call.what.deadline - call.connect_began) / (others + 2);
    const bool is_first = call.attempt_count == 0;
    limit = std::min(limit, is_first ? std::max(share, kMinConnectTimeout) : share);
  }
  WakeAt(call, std::min(call.what.deadline, call.connect_began + limit));
}

// A server may take half of the remaining time to answer when the request can be sent to another
// address afterwards, and all of it otherwise.
void Exchange::LimitAnswer(PendingCall& call, BootTime now) {
  const bool has_others = call.search.remaining() > 0 ||
                          (call.on_idle_connection && address_count_[call.search.endpoint()] > 1);
  const bool may_resend = call.what.resend && !call.what.once && !call.repeated && has_others;
  WakeAt(call, may_resend ? now + (call.what.deadline - now) / 2 : call.what.deadline);
}

void Exchange::SocketCame(SocketRequest& request) {
  if (request.owner == nullptr) {
    Pump();  // assigns it to the first call that waits for any connection
    return;
  }
  PendingCall& call = *request.owner;
  TakeAnswer(call, socket_requests_.Take(request));
  std::erase(waiting_, &call);
  Start(call, ConnectionMode::kNew);
}

void Exchange::SocketFailed(PendingCall* owner, const SocketAnswer& answer) {
  if (owner != nullptr) {
    PendingCall& call = *owner;
    call.socket_request = nullptr;
    std::erase(waiting_, owner);
    if (answer.error_class == ErrorClass::kLoginBudgetUsedUp) {
      // No exchange took place, so the error of an earlier attempt is more useful to the caller.
      Complete(call, call.attempt_count > 0 ? call.last_error : answer.error_class);
      return;
    }
    NoteAddress(call, answer);
    const AttemptOutcome outcome{.error_class = answer.error_class,
                                 .remedy = Remedy::kOtherAddress};
    if (answer.address == 0 && !call.search.tried().empty()) {
      FollowUp(call, outcome);  // no address is left, and no attempt took place
    } else {
      EndAttempt(call, outcome);
    }
  }
  Pump();
}

// Sends the request of the call. The caller removes the call from waiting_.
void Exchange::Start(PendingCall& call, ConnectionMode mode) {
  if (mode == ConnectionMode::kPooled) {
    if (call.socket_request != nullptr) {
      socket_requests_.MakeSpare(*std::exchange(call.socket_request, nullptr));
    }
    call.connecting = false;
    call.on_idle_connection = true;
    call.attempt_began = BootNow();
    LimitAnswer(call, call.attempt_began);
  } else if (call.what.use == ConnectionUse::kFresh) {
    mode = ConnectionMode::kNewOnce;
  }
  call.phase = PendingCall::Phase::kRunning;
  call.request_began = BootTime::zero();
  call.was_retired = false;
  call.transfer = AcquireTransfer();
  const std::uint32_t endpoint = call.search.endpoint();
  ++running_[endpoint];
  if (call.transfer != nullptr &&
      call.transfer->Prepare(call, routes_[endpoint], call.what.request, mode) &&
      multi_->Add(call.transfer->handle())) {
    return;
  }
  --running_[endpoint];
  ReleaseTransfer(call);
  call.socket.fd.reset();
  call.what.refusal = ErrorClass::kUnavailable;
  call.phase = PendingCall::Phase::kRefused;
  WakeAt(call, BootNow());
}

Transfer* Exchange::AcquireTransfer() {
  if (!free_transfers_.empty()) {
    Transfer* const transfer = free_transfers_.back();
    free_transfers_.pop_back();
    return transfer;
  }
  Result<std::unique_ptr<Transfer>> made = Transfer::Create(*this, roots_);
  if (!made) {
    return nullptr;
  }
  transfers_.push_back(std::move(made).value());
  return transfers_.back().get();
}

void Exchange::ReleaseTransfer(PendingCall& call) {
  if (call.transfer != nullptr) {
    call.transfer->Finish();
    free_transfers_.push_back(std::exchange(call.transfer, nullptr));
  }
}

int Exchange::TakeSocket(Transfer& transfer) {
  PendingCall& call = *transfer.call();
  if (!call.socket.fd.valid()) {
    return -1;
  }
  return connections_.Adopt(std::move(call.socket), call.search.endpoint(), call.address);
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
  PendingCall& call = *transfer.call();
  const void* const tls = transfer.tls_session();
  if (const int known = connections_.Find(tls); known >= 0) {
    transfer.set_descriptor(known);  // an idle one; TakeSocket() stores a new one
  }
  const int fd = transfer.descriptor();
  call.address = connections_.AddressOf(fd);
  if (connections_.IsRetired(fd)) {
    call.was_retired = true;
    return Decision::kAbandon;
  }
  if (!call.refused_peers.empty() && Contains(call.refused_peers, Connections::PeerOf(fd))) {
    call.peer_was_refused = true;
    return Decision::kAbandon;
  }
  connections_.NoteUsable(fd, tls);
  const BootTime now = BootNow();
  if (call.connecting) {
    AddConnectTime(call, now);
    LimitAnswer(call, now);
  }
  call.request_began = now;
  return Decision::kGoOn;
}

// After the response of a proxy, or of a standby, sealed or broken server, the connections to that
// address are not kept, because they would lead to the same server again.
void Exchange::BeginAnswer(Transfer& transfer) {
  const long status = transfer.status();
  if ((status >= 300 && status < 400) || status >= 500) {
    PendingCall& call = *transfer.call();
    transfer.RetireConnection();
    connections_.GiveUp(transfer.descriptor());
    call.peer = Connections::PeerOf(transfer.descriptor());
  }
}

}  // namespace baokms::openbao
