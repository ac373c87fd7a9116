// Where the client gets its connections from. A worker and the auth agent may not make a socket, so
// their connector asks the supervisor's broker over IPC.

#pragma once

#include <cstdint>
#include <functional>

#include "common/base/result.h"
#include "common/base/unique_fd.h"
#include "common/openbao/error_class.h"

namespace baokms::openbao {

// A non-blocking TCP socket on which connect(2) was already called.
struct BrokeredSocket {
  std::uint64_t id = 0;  // names the connection in Report()
  UniqueFd fd;
  std::uint32_t address_count = 1;  // addresses that the endpoint has
};

// What came of a RequestSocket().
struct SocketAnswer {
  ErrorClass error_class = ErrorClass::kConnectionFailed;  // kOk: `socket` is valid
  BrokeredSocket socket;
};

class Connector {
 public:
  // Ids of pending requests; 0 names none.
  using RequestId = std::uint64_t;
  using Callback = std::function<void(SocketAnswer)>;

  virtual ~Connector() = default;

  // Asks for a connection to endpoint `endpoint` (index into the sealed set-up). `attempt` 0 is the
  // address that worked last, each further one the next address. The callback runs later on the
  // loop's thread, exactly once unless cancelled.
  virtual RequestId RequestSocket(std::uint32_t endpoint,
                                  std::uint32_t attempt,
                                  Callback callback) = 0;

  // The callback will not run. A socket that arrives anyway is closed.
  virtual void CancelRequest(RequestId request) = 0;

  // Says how the connection turned out: usable once TLS is up, unusable when it never got there.
  // Unusable may follow usable when what answers there is sealed or redirects; it speaks of the
  // address then. Called from inside libcurl: must not call back into the client.
  enum class Verdict : std::uint8_t { kUsable, kUnusable };
  virtual void Report(std::uint64_t socket_id, Verdict verdict) = 0;

 protected:
  Connector() = default;
  Connector(const Connector&) = default;
  Connector& operator=(const Connector&) = default;
};

}  // namespace baokms::openbao
