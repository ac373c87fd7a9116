// The connector of a process that is not allowed to create sockets: it asks the supervisor's broker
// over IPC for a connection to a numbered endpoint and validates the answer. How the messages
// travel is left to its owner.

#pragma once

#include <chrono>
#include <cstdint>
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

// The broker resolves the name and starts to connect; it does not wait for the connection. Longer
// than any connect limit (timeout/3), after which the client asks for the next address.
inline constexpr BootTime kConnectAnswerTimeout = std::chrono::seconds(10);

// Everything belongs to the loop's thread. `loop` must outlive the connector.
class BrokerConnector final : public Connector {
 public:
  // Sends its two messages.
  struct Outgoing {
    std::function<void(const ipc::ConnectRequest&)> request;
    std::function<void(const ipc::ConnectVerdict&)> verdict;
  };

  BrokerConnector(EventLoop& loop, Outgoing outgoing);
  BrokerConnector(const BrokerConnector&) = delete;
  BrokerConnector& operator=(const BrokerConnector&) = delete;
  ~BrokerConnector() override;

  // With kMaxUnansweredConnects unanswered requests, or more than kConnectsPerSecond, nothing is
  // sent and the callback gets kConnectionFailed (ipc/limits.h): the broker would end this process.
  RequestId RequestSocket(std::uint32_t endpoint,
                          const std::vector<std::uint32_t>& tried,
                          Callback callback) override;
  void CancelRequest(RequestId request) override;
  void Report(std::uint64_t socket_id, Verdict verdict) override;

  // The broker's answer with its descriptor. kProtocolViolation: no request has this id, success
  // without an address or a descriptor, failure with a descriptor, more addresses than an endpoint
  // can have, or a descriptor that is not a non-blocking TCP socket.
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
