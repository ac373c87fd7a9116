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

struct Call;

// One requested connection. Owned by ConnectAttempts.
struct ConnectAttempt {
  std::uint32_t endpoint = 0;
  bool is_first = true;              // to the address that worked last
  Call* owner = nullptr;             // null: spare
  Connector::RequestId request = 0;  // 0 once `answer` has arrived
  SocketAnswer answer;
  EventLoop::TimerId expiry = 0;  // of a spare attempt
};

class ConnectAttempts final {
 public:
  class Listener {
   public:
    Listener() = default;
    Listener(const Listener&) = delete;
    Listener& operator=(const Listener&) = delete;
    virtual ~Listener() = default;

    // The socket of `attempt` has arrived; the listener may obtain it with Take().
    virtual void SocketCame(ConnectAttempt& attempt) = 0;

    // No socket will arrive. `owner` is null for a spare attempt.
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

  // Cancels all attempts.
  ~ConnectAttempts();

  // Requests a connection for `owner`, to an address of `endpoint` that is not in `tried`.
  ConnectAttempt& Ask(std::uint32_t endpoint, const std::vector<std::uint32_t>& tried, Call& owner);

  // Assigns to `owner` a spare attempt to the last good address of `endpoint`; returns null when
  // there is none.
  ConnectAttempt* Reuse(std::uint32_t endpoint, Call& owner);

  // Returns the socket that arrived and forgets the attempt.
  SocketAnswer Take(ConnectAttempt& attempt);

  // Releases the attempt from its owner; another call may use it for kSpareSocketLife.
  void MakeSpare(ConnectAttempt& attempt);

  // Cancels the request or closes the socket.
  void Drop(ConnectAttempt& attempt);

  // Returns the number of attempts to `endpoint`, including spare ones.
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
