// Connections that were asked of the connector and are not in libcurl's hands yet: each is meant
// for one call, or spare because its call found another connection first. Bounds how long a spare
// one is kept.

#pragma once

#include <cstddef>
#include <cstdint>
#include <list>
#include <vector>

#include "common/base/event_loop.h"
#include "common/openbao/connector.h"

namespace baokms::openbao {

struct Call;

// One connection that was asked for. Owned by ConnectAttempts.
struct ConnectAttempt {
  std::uint32_t endpoint = 0;
  bool is_first = true;              // to the address that worked last
  Call* owner = nullptr;             // null: spare
  Connector::RequestId request = 0;  // 0 once `answer` is here
  SocketAnswer answer;
  EventLoop::TimerId expiry = 0;  // of a spare one
};

class ConnectAttempts final {
 public:
  class Listener {
   public:
    Listener() = default;
    Listener(const Listener&) = delete;
    Listener& operator=(const Listener&) = delete;
    virtual ~Listener() = default;

    // The socket of `attempt` has arrived; the listener may take it with Take().
    virtual void SocketCame(ConnectAttempt& attempt) = 0;

    // There will be no socket. `owner` is null for a spare one.
    virtual void SocketFailed(Call* owner, const SocketAnswer& answer) = 0;
  };

  // All three must outlive this object. Endpoint 0 is number `first_endpoint` of the connector.
  ConnectAttempts(EventLoop& loop,
                  Connector& connector,
                  Listener& listener,
                  std::uint32_t first_endpoint,
                  std::size_t endpoint_count);

  ConnectAttempts(const ConnectAttempts&) = delete;
  ConnectAttempts& operator=(const ConnectAttempts&) = delete;

  // Cancels everything.
  ~ConnectAttempts();

  // Asks for a connection for `owner`, to an address of `endpoint` that is not in `tried`.
  ConnectAttempt& Ask(std::uint32_t endpoint, const std::vector<std::uint32_t>& tried, Call& owner);

  // Gives `owner` a spare attempt to the last good address of `endpoint`; null when there is none.
  ConnectAttempt* Reuse(std::uint32_t endpoint, Call& owner);

  // Hands out the socket that came and forgets the attempt.
  SocketAnswer Take(ConnectAttempt& attempt);

  // The owner does not need it any more; another call may take it for kSpareSocketLife.
  void MakeSpare(ConnectAttempt& attempt);

  // Withdraws the request or closes the socket.
  void Drop(ConnectAttempt& attempt);

  // Attempts to `endpoint`, spare ones included.
  [[nodiscard]] std::uint32_t count(std::uint32_t endpoint) const { return count_[endpoint]; }

 private:
  void OnAnswer(ConnectAttempt& attempt, SocketAnswer answer);
  void Forget(ConnectAttempt& attempt);

  EventLoop& loop_;
  Connector& connector_;
  Listener& listener_;
  std::uint32_t first_endpoint_;
  std::list<ConnectAttempt> attempts_;
  std::vector<std::uint32_t> count_;
};

}  // namespace baokms::openbao
