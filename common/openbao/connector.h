// The source of the client's connections. A worker and the auth agent may not create sockets, so
// their connector requests them from the supervisor's broker over IPC.

#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "common/base/result.h"
#include "common/base/unique_fd.h"
#include "common/openbao/error_class.h"

namespace baokms::openbao {

// A non-blocking TCP socket on which connect(2) was already called.
struct BrokeredSocket {
  std::uint64_t id = 0;  // names the connection in Report()
  UniqueFd fd;
};

// The answer to one RequestSocket().
struct SocketAnswer {
  ErrorClass error_class = ErrorClass::kConnectionFailed;  // kOk: `socket` is valid
  BrokeredSocket socket{};
  std::uint32_t address = 0;  // number of the address that was tried; 0: none
  std::uint32_t untried = 0;  // addresses of the endpoint that are still left
};

class Connector {
 public:
  // Identifies a pending request; 0 identifies none.
  using RequestId = std::uint64_t;
  using Callback = std::function<void(SocketAnswer)>;

  virtual ~Connector() = default;

  // Requests a connection to endpoint `endpoint` (an index into the sealed set-up), to an address
  // that is not in `tried`: with an empty list the address that worked last, otherwise the one that
  // follows the last of `tried` in a fixed order. The callback runs later on the loop's thread,
  // exactly once unless the request is cancelled.
  virtual RequestId RequestSocket(std::uint32_t endpoint,
                                  const std::vector<std::uint32_t>& tried,
                                  Callback callback) = 0;

  // Cancels the request: its callback does not run, and a socket that still arrives is closed.
  virtual void CancelRequest(RequestId request) = 0;

  // Reports the result of the connection: usable once TLS is established, unusable when that never
  // happened. Unusable may follow usable when the server is sealed, redirects, fails or does not
  // answer. It is called from inside libcurl and must not call back into the client.
  enum class SocketState : std::uint8_t { kUsable, kUnusable };
  virtual void Report(std::uint64_t socket_id, SocketState state) = 0;

 protected:
  Connector() = default;
  Connector(const Connector&) = default;
  Connector& operator=(const Connector&) = default;
};

}  // namespace baokms::openbao
