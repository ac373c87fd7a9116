// Runs HTTPS calls over brokered sockets: calls queue for connections, and each makes one attempt
// after another until it has a response, its deadline has passed or every address was tried. Its
// handler interprets the response.

#pragma once

#include <deque>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "common/base/event_loop.h"
#include "common/base/result.h"
#include "common/openbao/api.h"
#include "common/openbao/call.h"
#include "common/openbao/connections.h"
#include "common/openbao/curl_multi.h"
#include "common/openbao/http_limits.h"
#include "common/openbao/outcome.h"
#include "common/openbao/socket_requests.h"
#include "common/openbao/tls_roots.h"
#include "common/openbao/transfer.h"

namespace baokms::openbao {

// Fixed for the lifetime of an Exchange.
struct ExchangeOptions {
  std::vector<Route> routes;          // one per endpoint; calls start with the last good one
  std::uint32_t first_endpoint = 0;   // the connector's number of the first route's endpoint
  std::string ca_pem;                 // the only trusted roots
  std::uint32_t max_connections = 0;  // per endpoint
  std::size_t max_calls = kMaxCalls;  // in progress, including waiting ones
};

class Exchange final : private TransferHost,
                       private CurlMulti::Listener,
                       private SocketRequests::Listener {
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

  void Finished(void* easy, int curl_code) override;
  void SocketCame(SocketRequest& attempt) override;
  void SocketFailed(PendingCall* owner, const SocketAnswer& answer) override;

  // exchange.cc: assigns connections to waiting calls.
  void Enqueue(PendingCall& call);
  void Pump();
  [[nodiscard]] bool Serve(PendingCall& call);
  [[nodiscard]] bool MayConnect(const PendingCall& call) const;
  void AwaitSocket(PendingCall& call, SocketRequest& attempt);
  void TakeAnswer(PendingCall& call, SocketAnswer answer);
  void LimitConnecting(PendingCall& call);
  void Start(PendingCall& call, ConnectionMode mode);
  Transfer* AcquireTransfer();
  void ReleaseTransfer(PendingCall& call);

  // exchange_retry.cc: decides how to continue after an attempt.
  void EndAttempt(PendingCall& call, AttemptOutcome outcome, std::string request_id);
  void FollowUp(PendingCall& call, const AttemptOutcome& outcome);
  [[nodiscard]] bool GoToNextAddress(PendingCall& call);
  [[nodiscard]] bool RepeatLater(PendingCall& call, const AttemptOutcome& outcome);
  void AddConnectTime(PendingCall& call, BootTime now);
  void AddRecord(PendingCall& call, ErrorClass error_class, std::string request_id);
  void Complete(PendingCall& call, ErrorClass error_class);
  void StopAttempt(PendingCall& call);
  void OnConnectTimeout(PendingCall& call);

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
  std::vector<std::uint32_t> running_;  // per endpoint
  std::uint32_t preferred_endpoint_ = 0;
  CallId last_id_ = 0;
  EventLoop::TimerId alarm_ = 0;
  BootTime alarm_at_{};
};

}  // namespace baokms::openbao
