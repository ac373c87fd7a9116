// The gRPC server of the KMS service: one completion queue, one thread. It accepts no connections
// (supervisor/kms/accept.h does) and decides nothing about requests.

#pragma once

#include <functional>
#include <memory>

#include "common/base/clock.h"
#include "common/base/event_loop.h"
#include "common/base/result.h"
#include "common/base/unique_fd.h"
#include "supervisor/kms/service.h"

namespace baokms::supervisor {

// Belongs to the loop's thread.
class KmsServer final {
 public:
  // Starts the server's threads. `loop` and `service` must outlive the server. `on_turn` is called
  // by the completion queue's thread with each event, and once a second without one.
  static Result<std::unique_ptr<KmsServer>> Start(EventLoop& loop,
                                                  KmsService& service,
                                                  std::function<void()> on_turn);

  KmsServer(const KmsServer&) = delete;
  KmsServer& operator=(const KmsServer&) = delete;
  // Ends every call and connection at once unless Shutdown() did.
  ~KmsServer();

  // Serves a connected stream socket from now on.
  void Adopt(UniqueFd connection);

  // Takes no new connections at once and no new calls after a quiet moment, a second at most; lets
  // those in progress end until `deadline` and then cancels them. `done` runs on the loop's thread,
  // which must go on running until then. Once.
  void Shutdown(BootTime deadline, std::function<void()> done);

 private:
  struct Engine;

  explicit KmsServer(std::unique_ptr<Engine> engine);

  std::unique_ptr<Engine> engine_;
};

}  // namespace baokms::supervisor
