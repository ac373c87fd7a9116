// Connections that were requested from the connector and that libcurl does not own yet. Each
// belongs to one call, or is spare because its call obtained another connection first. Spare ones
// are kept for a limited time.

#pragma once

#include <cstddef>
#include <cstdint>
#include <list>
#include <vector>

#include "common/base/event_loop.h"
#include "common/openbao/connector.h"

namespace baokms::openbao {

struct PendingCall;

// One requested connection. Owned by SocketRequests.
struct SocketRequest {
  std::uint32_t endpoint = 0;
  bool is_first = true;              // to the address that worked last
  PendingCall* owner = nullptr;      // null: spare
  Connector::RequestId request = 0;  // 0 once `answer` has arrived
  SocketAnswer answer;
  EventLoop::TimerId expiry = 0;  // of a spare attempt
};

class SocketRequests final {
 public:
  class Listener {
   public:
    Listener() = default;
    Listener(const Listener&) = delete;
    Listener& operator=(const Listener&) = delete;
    virtual ~Listener() = default;

    // The socket of `attempt` has arrived; the listener may obtain it with Take().
    virtual void SocketCame(SocketRequest& attempt) = 0;

    // No socket will arrive. `owner` is null for a spare attempt.
    virtual void SocketFailed(PendingCall* owner, const SocketAnswer& answer) = 0;
  };

  // All three must outlive this object. Endpoint 0 is number `first_endpoint` of the connector.
  SocketRequests(EventLoop& loop,
                 Connector& connector,
                 Listener& listener,
                 std::uint32_t first_endpoint,
                 std::size_t endpoint_count);

  SocketRequests(const SocketRequests&) = delete;
  SocketRequests& operator=(const SocketRequests&) = delete;

  // Cancels all attempt_count.
  ~SocketRequests();

  // Requests a connection for `owner`, to an address of `endpoint` that is not in `tried`.
  SocketRequest& Ask(std::uint32_t endpoint,
                     const std::vector<std::uint32_t>& tried,
                     PendingCall& owner);

  // Assigns to `owner` a spare attempt to the last good address of `endpoint`; returns null when
  // there is none.
  SocketRequest* Reuse(std::uint32_t endpoint, PendingCall& owner);

  // Returns the socket that arrived and forgets the attempt.
  SocketAnswer Take(SocketRequest& attempt);

  // Releases the attempt from its owner; another call may use it for kSpareSocketLifetime.
  void MakeSpare(SocketRequest& attempt);

  // Cancels the request or closes the socket.
  void Drop(SocketRequest& attempt);

  // Returns the number of attempt_count to `endpoint`, including spare ones.
  [[nodiscard]] std::uint32_t count(std::uint32_t endpoint) const { return count_[endpoint]; }

 private:
  void OnAnswer(SocketRequest& attempt, SocketAnswer answer);
  void Forget(SocketRequest& attempt);

  EventLoop& loop_;
  Connector& connector_;
  Listener& listener_;
  std::uint32_t first_endpoint_;
  std::list<SocketRequest> attempts_;
  std::vector<std::uint32_t> count_;
};

}  // namespace baokms::openbao
