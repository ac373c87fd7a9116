// Runs calls: a FIFO in front of the connections, one attempt after another until the answer, the
// deadline or the end of the addresses. It knows nothing of what a call means.

#pragma once

#include <deque>
#include <memory>
#include <random>
#include <string>
#include <unordered_map>
#include <vector>

#include "common/base/event_loop.h"
#include "common/base/result.h"
#include "common/openbao/api.h"
#include "common/openbao/call.h"
#include "common/openbao/connect_attempts.h"
#include "common/openbao/connections.h"
#include "common/openbao/curl_multi.h"
#include "common/openbao/outcome.h"
#include "common/openbao/tls_roots.h"
#include "common/openbao/transfer.h"

namespace baokms::openbao {

class Exchange final : private TransferHost,
                       private CurlMulti::Listener,
                       private ConnectAttempts::Listener {
 public:
  static Result<std::unique_ptr<Exchange>> Create(EventLoop& loop,
                                                  Connector& connector,
                                                  const ClientOptions& options);

  Exchange(const Exchange&) = delete;
  Exchange& operator=(const Exchange&) = delete;

  // Drops all calls without telling their handlers.
  ~Exchange() override;

  // Starts the call. Its handler is told later, never from inside this function.
  CallId Submit(NewCall what);

  // Drops the call without telling its handler.
  void Cancel(CallId id);

 private:
  Exchange(EventLoop& loop,
           Connector& connector,
           const ClientOptions& options,
           std::unique_ptr<CurlLibrary> library,
           TlsRoots roots);

  // TransferHost, called from inside libcurl.
  int TakeSocket(Transfer& transfer) override;
  void CloseSocket(int fd) override;
  Decision BeginRequest(Transfer& transfer) override;
  void BeginAnswer(Transfer& transfer) override;

  void Finished(void* easy, int curl_code) override;
  void SocketCame(ConnectAttempt& dial) override;
  void SocketFailed(Call* owner, ErrorClass error_class) override;

  // exchange.cc: connections for waiting calls.
  void Enqueue(Call& call);
  void Pump();
  [[nodiscard]] bool Serve(Call& call);
  [[nodiscard]] bool MayDial(const Call& call) const;
  void AwaitDial(Call& call, ConnectAttempt& dial);
  void Start(Call& call, ConnectionMode mode);
  Transfer* AcquireTransfer();
  void ReleaseTransfer(Call& call);

  // attempts.cc: what follows an attempt.
  void EndAttempt(Call& call, Outcome outcome, std::string request_id);
  [[nodiscard]] Outcome ClassifyAnswer(Call& call, std::string& request_id);
  [[nodiscard]] bool GoToNextAddress(Call& call);
  [[nodiscard]] bool RepeatLater(Call& call, const Outcome& outcome);
  void AddConnectTime(Call& call, BootTime now);
  void AddRecord(Call& call, ErrorClass error_class, std::string request_id);
  void Complete(Call& call, ErrorClass error_class);
  void StopAttempt(Call& call);
  void OnConnectLimit(Call& call);

  // One alarm for all deadlines.
  void WakeAt(Call& call, BootTime when);
  void OnAlarm();
  void HandleDue(Call& call, BootTime now);

  EventLoop& loop_;
  Connector& connector_;
  std::uint32_t max_connections_;
  std::string namespace_header_;
  std::vector<Route> routes_;
  std::unique_ptr<CurlLibrary> library_;
  TlsRoots roots_;
  Connections connections_;
  ConnectAttempts dials_;
  std::unique_ptr<CurlMulti> multi_;
  std::vector<std::unique_ptr<Transfer>> transfers_;
  std::vector<Transfer*> free_transfers_;
  std::unordered_map<CallId, std::unique_ptr<Call>> calls_;
  std::deque<Call*> waiting_;
  std::vector<std::uint32_t> running_;  // by endpoint
  std::uint32_t preferred_endpoint_ = 0;
  CallId last_id_ = 0;
  EventLoop::TimerId alarm_ = 0;
  BootTime alarm_at_{};
  std::minstd_rand jitter_;  // spreads repetitions; nothing secret depends on it
};

}  // namespace baokms::openbao
