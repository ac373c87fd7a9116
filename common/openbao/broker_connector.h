// The connector of a process that may not make sockets: it asks the supervisor's broker, over IPC,
// for a connection to endpoint number i and checks what comes back. It knows no channel.

#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <set>

#include "common/base/clock.h"
#include "common/base/event_loop.h"
#include "common/base/result.h"
#include "common/base/token_bucket.h"
#include "common/base/unique_fd.h"
#include "common/openbao/connector.h"
#include "ipc/limits.h"
#include "proto/ipc.pb.h"

namespace baokms::openbao {

// A broker resolves and starts to connect; it does not wait for the connection. Longer than any
// connect limit (timeout/3), after which the client asks for the next address.
inline constexpr BootTime kConnectAnswerTimeout = std::chrono::seconds(10);

// Everything belongs to the loop's thread. `loop` must outlive the connector.
class BrokerConnector final : public Connector {
 public:
  // How its two messages leave the process.
  struct Outgoing {
    std::function<void(const ipc::ConnectRequest&)> request;
    std::function<void(const ipc::ConnectVerdict&)> verdict;
  };

  BrokerConnector(EventLoop& loop, Outgoing outgoing);
  BrokerConnector(const BrokerConnector&) = delete;
  BrokerConnector& operator=(const BrokerConnector&) = delete;
  ~BrokerConnector() override;

  // With kMaxUnansweredConnects unanswered requests, or more than kConnectsPerSecond, nothing is
  // sent and the callback says kConnectionFailed (ipc/limits.h): the broker would end this process.
  RequestId RequestSocket(std::uint32_t endpoint,
                          std::uint32_t attempt,
                          Callback callback) override;
  void CancelRequest(RequestId request) override;
  void Report(std::uint64_t socket_id, Verdict verdict) override;

  // The broker's answer with its descriptor. kProtocolViolation: nothing was asked under this id,
  // success without or failure with a descriptor, or a descriptor that is not a non-blocking TCP
  // socket.
  Status OnAnswer(const ipc::ConnectAnswer& answer, UniqueFd fd);

 private:
  struct Pending {
    Callback callback;
    EventLoop::TimerId timer = 0;
    bool sent = false;  // an answer will come
  };

  void GiveUp(RequestId request);
  Callback Forget(std::map<RequestId, Pending>::iterator pending);

  EventLoop& loop_;
  Outgoing outgoing_;
  std::map<RequestId, Pending> pending_;
  std::set<RequestId> abandoned_;  // cancelled or timed out; the answer is still to come
  RequestId last_id_ = 0;
  TokenBucket rate_{ipc::kConnectsPerSecond, ipc::kConnectsPerSecond};
};

}  // namespace baokms::openbao
