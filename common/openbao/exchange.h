// Runs HTTPS calls over brokered sockets: calls queue for connections, and each makes one attempt
// after another until it has a response, its deadline has passed or every address was tried. Its
// handler interprets the response.

#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "common/base/clock.h"
#include "common/base/event_loop.h"
#include "common/base/result.h"
#include "common/openbao/address_search.h"
#include "common/openbao/api.h"
#include "common/openbao/connections.h"
#include "common/openbao/curl_multi.h"
#include "common/openbao/http_limits.h"
#include "common/openbao/outcome.h"
#include "common/openbao/socket_requests.h"
#include "common/openbao/tls.h"
#include "common/openbao/transfer.h"

namespace baokms::openbao {

// Interprets the response to one call.
struct CallHandler {
  // Classifies a response and keeps its value. `transport` is the transport's own outcome for an
  // incomplete response.
  std::function<AttemptOutcome(const HttpResponse&, const AttemptOutcome& transport)> classify;

  // Passes the report, and the value that was kept, to the caller. Called at most once, and last.
  std::function<void(CallReport)> deliver;
};

// A call as submitted by the typed client.
struct NewCall {
  ipc::OpenBaoOperation operation = ipc::OPERATION_UNSPECIFIED;
  OutgoingRequest request;
  BootTime deadline{};
  ConnectionUse use = ConnectionUse::kAny;
  CallHandler handler;
  std::shared_ptr<const TlsIdentity> identity{};  // client certificate of new connections, or null
  ErrorClass refusal = ErrorClass::kOk;           // not kOk: end with this error and send nothing
  bool once = false;                              // repeat no request, and try no address twice
  bool resend = true;  // may be sent elsewhere while the first server may still act on it
};

// The state of one call in progress: its request, its progress, and the report about it.
struct PendingCall {
  CallId id = 0;
  NewCall what;
  CallReport report;

  enum class Phase : std::uint8_t {
    kWaiting,  // for a connection
    kRunning,  // in libcurl
    kPausing,  // before a repetition
    kRefused,  // ends in the next iteration of the loop
  };
  Phase phase = Phase::kWaiting;
  BootTime wake_at{};  // when the clock next affects this call: at its deadline at the latest

  // The connection that the call needs.
  enum class Need : std::uint8_t {
    kAny,  // an idle one, or a new one
    kOwn,  // a new one, to the next address of `search`
  };
  Need need = Need::kAny;
  AddressSearch search;
  std::vector<Peer> refused_peers;          // sealed or redirecting servers: not used again
  SocketRequest* socket_request = nullptr;  // requested, but not received yet
  Transfer* transfer = nullptr;             // while kRunning
  BrokeredSocket socket;                    // held until libcurl takes it
  std::uint32_t address = 0;                // the number of the address it leads to

  BootTime connect_timeout{};       // the maximum time for one connection attempt
  bool connecting = false;          // no idle connection was free: connect_timeout applies
  bool on_idle_connection = false;  // the attempt uses a connection of an earlier call
  bool peer_was_refused = false;    // the new connection led to one of refused_peers
  bool was_retired = false;         // the idle connection leads to an address that was given up
  std::optional<Peer> peer;         // of the current response, stored while the connection was open

  std::size_t attempt_count = 0;
  ErrorClass last_error = ErrorClass::kUnknown;
  bool repeated = false;
  bool may_return = false;  // it left an address that may succeed the next time
  BootTime attempt_began{};
  BootTime connect_began{};
  BootTime request_began{};  // zero: not sent in this attempt
};

// Fixed for the lifetime of an Exchange.
struct ExchangeOptions {
  std::vector<Route> routes;          // one per endpoint; calls start with the last good one
  std::uint32_t first_endpoint = 0;   // the connector's number of the first route's endpoint
  std::string ca_pem;                 // the only trusted roots
  std::uint32_t max_connections = 0;  // per endpoint
  std::size_t max_calls = kMaxCalls;  // in progress, including waiting ones
};

class Exchange final : private TransferHost {
 public:
  static Result<std::unique_ptr<Exchange>> Create(EventLoop& loop,
                                                  Connector& connector,
                                                  ExchangeOptions options);

  Exchange(const Exchange&) = delete;
  Exchange& operator=(const Exchange&) = delete;

  // Drops all calls without notifying their handlers.
  ~Exchange() override;

  // Starts the call. Its handler is notified later, never from inside this function.
  CallId Submit(NewCall what);

  // Drops the call without notifying its handler.
  void Cancel(CallId id);

 private:
  Exchange(EventLoop& loop,
           Connector& connector,
           ExchangeOptions options,
           std::unique_ptr<CurlLibrary> library,
           TlsRoots roots);

  // TransferHost, called from inside libcurl.
  int TakeSocket(Transfer& transfer) override;
  void CloseSocket(int fd) override;
  Decision BeginRequest(Transfer& transfer) override;
  void BeginAnswer(Transfer& transfer) override;

  void Finished(void* easy, int curl_code);
  void SocketCame(SocketRequest& request);
  void SocketFailed(PendingCall* owner, const SocketAnswer& answer);

  // exchange.cc: assigns connections to waiting calls.
  void Enqueue(PendingCall& call);
  void Pump();
  [[nodiscard]] bool Serve(PendingCall& call);
  [[nodiscard]] bool MayConnect(const PendingCall& call) const;
  void AwaitSocket(PendingCall& call, SocketRequest& request);
  void TakeAnswer(PendingCall& call, SocketAnswer answer);
  void NoteAddress(PendingCall& call, const SocketAnswer& answer);
  void LimitConnecting(PendingCall& call);
  void LimitAnswer(PendingCall& call, BootTime now);
  void Start(PendingCall& call, ConnectionMode mode);
  Transfer* AcquireTransfer();
  void ReleaseTransfer(PendingCall& call);

  // exchange_retry.cc: decides how to continue after an attempt.
  void EndAttempt(PendingCall& call, AttemptOutcome outcome);
  void FollowUp(PendingCall& call, const AttemptOutcome& outcome);
  [[nodiscard]] bool GoToNextAddress(PendingCall& call);
  [[nodiscard]] bool ReturnOnce(PendingCall& call);
  void LeaveEndpoint(std::uint32_t endpoint);
  [[nodiscard]] bool RepeatLater(PendingCall& call, const AttemptOutcome& outcome);
  void AddConnectTime(PendingCall& call, BootTime now);
  void AddRecord(PendingCall& call, const AttemptOutcome& outcome);
  void Complete(PendingCall& call, ErrorClass error_class);
  void StopAttempt(PendingCall& call);
  void GiveUpIfSent(const PendingCall& call);
  void OnConnectTimeout(PendingCall& call);
  void OnAnswerTimeout(PendingCall& call);

  // One timer for all deadlines.
  void WakeAt(PendingCall& call, BootTime when);
  void OnAlarm();
  void HandleDue(PendingCall& call, BootTime now);

  EventLoop& loop_;
  Connector& connector_;
  std::uint32_t max_connections_;
  std::size_t max_calls_;
  std::vector<Route> routes_;
  std::unique_ptr<CurlLibrary> library_;
  TlsRoots roots_;
  Connections connections_;
  SocketRequests socket_requests_;
  std::unique_ptr<CurlMulti> multi_;
  std::vector<std::unique_ptr<Transfer>> transfers_;
  std::vector<Transfer*> free_transfers_;
  std::unordered_map<CallId, std::unique_ptr<PendingCall>> calls_;
  std::deque<PendingCall*> waiting_;
  std::vector<std::uint32_t> running_;        // per endpoint
  std::vector<std::uint32_t> address_count_;  // per endpoint, as of the latest socket
  std::uint32_t preferred_endpoint_ = 0;
  CallId last_id_ = 0;
  EventLoop::TimerId alarm_ = 0;
  BootTime alarm_at_{};
};

}  // namespace baokms::openbao
