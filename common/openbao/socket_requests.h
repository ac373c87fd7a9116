// Connections that were requested from the connector and that libcurl does not own yet. Each
// belongs to one call, or is spare because its call obtained another connection first. Spare ones
// are kept for a limited time.

#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <list>
#include <vector>

#include "common/base/event_loop.h"
#include "common/openbao/connector.h"

namespace baokms::openbao {

struct PendingCall;

// One requested connection. Owned by SocketRequests.
struct SocketRequest {
  std::uint32_t endpoint = 0;
  bool is_first = true;          // to the address that worked last
  PendingCall* owner = nullptr;  // null: spare
  Connector::RequestId id = 0;   // 0 once `answer` has arrived
  SocketAnswer answer;
  EventLoop::TimerId expiry = 0;  // of a spare request
};

class SocketRequests final {
 public:
  struct Callbacks {
    // The socket of the request has arrived; the callback may obtain it with Take().
    std::function<void(SocketRequest&)> arrived;

    // No socket will arrive. The owner is null for a spare request.
    std::function<void(PendingCall* owner, const SocketAnswer&)> failed;
  };

  // `loop` and `connector` must outlive this object. Endpoint 0 is number `first_endpoint` of the
  // connector.
  SocketRequests(EventLoop& loop,
                 Connector& connector,
                 Callbacks callbacks,
                 std::uint32_t first_endpoint,
                 std::size_t endpoint_count);

  SocketRequests(const SocketRequests&) = delete;
  SocketRequests& operator=(const SocketRequests&) = delete;

  // Cancels all requests.
  ~SocketRequests();

  // Requests a connection for `owner`, to an address of `endpoint` that is not in `tried`.
  SocketRequest& Ask(std::uint32_t endpoint,
                     const std::vector<std::uint32_t>& tried,
                     PendingCall& owner);

  // Assigns to `owner` a spare request to the last good address of `endpoint`; returns null when
  // there is none.
  SocketRequest* Reuse(std::uint32_t endpoint, PendingCall& owner);

  // Returns the socket that arrived and forgets the request.
  SocketAnswer Take(SocketRequest& request);

  // Releases the request from its owner; another call may use it for kSpareSocketLifetime.
  void MakeSpare(SocketRequest& request);

  // Cancels the request or closes the socket.
  void Drop(SocketRequest& request);

  // Returns the number of requests to `endpoint`, including spare ones.
  [[nodiscard]] std::uint32_t count(std::uint32_t endpoint) const { return count_[endpoint]; }

 private:
  void OnAnswer(SocketRequest& request, SocketAnswer answer);
  void Forget(SocketRequest& request);

  EventLoop& loop_;
  Connector& connector_;
  Callbacks callbacks_;
  std::uint32_t first_endpoint_;
  std::list<SocketRequest> requests_;
  std::vector<std::uint32_t> count_;
};

}  // namespace baokms::openbao
