// Sockets asked of the connector: each for one call, or spare because the call found another
// connection first. Bounds how long a spare one is kept.

#pragma once

#include <cstdint>
#include <list>
#include <vector>

#include "common/base/event_loop.h"
#include "common/openbao/connector.h"

namespace baokms::openbao {

struct Call;

// One socket asked for. Belongs to ConnectAttempts.
struct ConnectAttempt {
  std::uint32_t endpoint = 0;
  std::uint32_t attempt = 0;
  Call* owner = nullptr;             // null: spare
  Connector::RequestId request = 0;  // 0 once `socket` is here
  BrokeredSocket socket;
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

    // The socket of `dial` is here; the listener may take it with Take().
    virtual void SocketCame(ConnectAttempt& dial) = 0;

    // There will be no socket. `owner` is null for a spare one.
    virtual void SocketFailed(Call* owner, ErrorClass error_class) = 0;
  };

  // All three must outlive this object.
  ConnectAttempts(EventLoop& loop,
                  Connector& connector,
                  Listener& listener,
                  std::size_t endpoint_count);

  ConnectAttempts(const ConnectAttempts&) = delete;
  ConnectAttempts& operator=(const ConnectAttempts&) = delete;

  // Cancels everything.
  ~ConnectAttempts();

  // Asks for address number `attempt` of `endpoint`, for `owner`.
  ConnectAttempt& Ask(std::uint32_t endpoint, std::uint32_t attempt, Call& owner);

  // Lets `owner` have a spare dial to the last good address of `endpoint`; null when there is none.
  ConnectAttempt* Reuse(std::uint32_t endpoint, Call& owner);

  // Hands out the socket that came and forgets the dial.
  BrokeredSocket Take(ConnectAttempt& dial);

  // The owner does not need it any more; somebody else may for kSpareSocketLife.
  void MakeSpare(ConnectAttempt& dial);

  // Withdraws the request or closes the socket.
  void Drop(ConnectAttempt& dial);

  // ConnectAttempts to `endpoint`, spare ones included.
  [[nodiscard]] std::uint32_t count(std::uint32_t endpoint) const { return count_[endpoint]; }

  // How many addresses `endpoint` was last said to have; at least 1.
  [[nodiscard]] std::uint32_t address_count(std::uint32_t endpoint) const {
    return address_count_[endpoint];
  }

 private:
  void OnAnswer(ConnectAttempt& dial, SocketAnswer answer);
  void Forget(ConnectAttempt& dial);

  EventLoop& loop_;
  Connector& connector_;
  Listener& listener_;
  std::list<ConnectAttempt> dials_;
  std::vector<std::uint32_t> count_;
  std::vector<std::uint32_t> address_count_;
};

}  // namespace baokms::openbao
