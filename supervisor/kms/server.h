// The gRPC server of the KMS service: one completion queue, one thread. It neither accepts
// connections (supervisor/kms/accept.h does) nor decides anything about requests.

#pragma once

#include <functional>
#include <memory>

#include "common/base/clock.h"
#include "common/base/event_loop.h"
#include "common/base/result.h"
#include "common/base/unique_fd.h"
#include "supervisor/kms/call_counts.h"
#include "supervisor/kms/service.h"

namespace baokms::supervisor {

// Not thread-safe: belongs to the loop's thread.
class KmsServer final {
 public:
  // Starts the server's threads. `loop` and `service` must outlive the server. `on_turn` is called
  // on the completion queue's thread after each event, and once per second without one.
  static Result<std::unique_ptr<KmsServer>> Start(EventLoop& loop,
                                                  KmsService& service,
                                                  std::function<void()> on_turn);

  KmsServer(const KmsServer&) = delete;
  KmsServer& operator=(const KmsServer&) = delete;
  // Ends every call and connection immediately, unless Shutdown() has done so.
  ~KmsServer();

  // Maximum concurrent calls of one connection: more than an API server has in progress. Further
  // ones wait in the client. gRPC 1.51 enforces it only once the client has acknowledged it.
  static constexpr int kMaxStreams = 512;

  // Takes ownership of a connected stream socket and has the server's thread serve it. Returns its
  // calls; null after Shutdown().
  std::shared_ptr<const CallCounts> Adopt(UniqueFd connection);

  // Stops taking new connections immediately, and new calls after an idle moment or one second at
  // most. Calls in progress may finish until `deadline` and are then cancelled. `done` runs on the
  // loop's thread, which must keep running until then. Must be called once.
  void Shutdown(BootTime deadline, std::function<void()> done);

 private:
  struct Engine;

  explicit KmsServer(std::unique_ptr<Engine> engine);

  std::unique_ptr<Engine> engine_;
};

}  // namespace baokms::supervisor
