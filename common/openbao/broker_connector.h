// The connector of a process that may not create sockets: it requests connections to numbered
// endpoints from the supervisor's broker over IPC and validates the answers. Its owner transports
// the messages.

#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <set>
#include <vector>

#include "common/base/clock.h"
#include "common/base/event_loop.h"
#include "common/base/result.h"
#include "common/base/token_bucket.h"
#include "common/base/unique_fd.h"
#include "common/openbao/connector.h"
#include "ipc/limits.h"
#include "proto/ipc.pb.h"

namespace baokms::openbao {

// The broker resolves the name and starts to connect, but does not wait for the connection. This
// limit is longer than any connect limit (timeout/3), after which the client requests the next
// address.
inline constexpr BootTime kConnectAnswerTimeout = std::chrono::seconds(10);

// Must be used on the loop's thread only. `loop` must outlive the connector.
class BrokerConnector final : public Connector {
 public:
  // Sends the connector's two messages.
  struct Outgoing {
    std::function<void(const ipc::ConnectRequest&)> request;
    std::function<void(const ipc::ConnectReport&)> report;
  };

  BrokerConnector(EventLoop& loop, Outgoing outgoing);
  BrokerConnector(const BrokerConnector&) = delete;
  BrokerConnector& operator=(const BrokerConnector&) = delete;
  ~BrokerConnector() override;

  // See Connector. What exceeds the limits of ipc/limits.h is not sent, because the broker would
  // terminate this process: while kMaxUnansweredConnects requests are unanswered, further ones
  // wait; above kConnectsPerSecond, the callback receives kConnectionFailed.
  RequestId RequestSocket(std::uint32_t endpoint,
                          const std::vector<std::uint32_t>& tried,
                          Callback callback) override;
  void CancelRequest(RequestId request) override;
  void Report(std::uint64_t socket_id, SocketState state) override;

  // Handles the broker's answer with its descriptor. kProtocolViolation: no request has this id,
  // success comes without an address or descriptor, failure comes with a descriptor, there are more
  // addresses than an endpoint can have, or the descriptor is not a non-blocking TCP socket.
  Status OnAnswer(const ipc::ConnectAnswer& answer, UniqueFd fd);

 private:
  struct Pending {
    Callback callback;
    EventLoop::TimerId timer = 0;
    bool sent = false;  // an answer will arrive
  };

  void SendHeld();
  void GiveUp(RequestId request);
  Callback Forget(std::map<RequestId, Pending>::iterator pending);

  EventLoop& loop_;
  Outgoing outgoing_;
  std::map<RequestId, Pending> pending_;
  std::deque<ipc::ConnectRequest> held_;  // pending, and not sent yet
  std::set<RequestId> abandoned_;         // cancelled or timed out, but not answered yet
  std::size_t unanswered_ = 0;            // sent ones, pending or abandoned
  std::uint64_t last_receipt_ = 0;        // of the latest answer
  RequestId last_id_ = 0;
  TokenBucket rate_{ipc::kConnectsPerSecond, ipc::kConnectsPerSecond};
};

}  // namespace baokms::openbao
