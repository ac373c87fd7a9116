// The accept loop in front of gRPC: who connects is checked and counted before gRPC sees a byte.
// It never closes the listening socket and reads nothing from a connection.

#pragma once

#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string_view>
#include <utility>

#include "common/base/clock.h"
#include "common/base/event_loop.h"
#include "common/base/log.h"
#include "common/base/result.h"
#include "common/base/unique_fd.h"
#include "supervisor/kms/peer_policy.h"
#include "supervisor/kms/request_record.h"

namespace baokms::supervisor {

// Lives on the loop's thread.
class Acceptor final {
 public:
  // Connections at one time. An API server has one, two while it reloads its configuration.
  static constexpr std::size_t kMostConnections = 64;

  // Log records about peers in one second; a client that connects in a loop must not fill the log.
  static constexpr int kMostRecordsPerSecond = 16;

  // Gets each connection that was let in.
  using OnConnection = std::function<void(UniqueFd)>;

  // Accepts from now on. `listener` is a listening, non-blocking unix stream socket; it and
  // everything else passed by reference must outlive the acceptor.
  static Result<std::unique_ptr<Acceptor>> Create(EventLoop& loop,
                                                  int listener,
                                                  PeerPolicy policy,
                                                  const Observers& observers,
                                                  OnConnection on_connection);

  Acceptor(const Acceptor&) = delete;
  Acceptor& operator=(const Acceptor&) = delete;
  ~Acceptor();

  // Accepts from another listening socket from now on, after those who wait at the earlier one.
  void ListenOn(int listener);

  // Nobody is let in any more; callers wait in the socket's queue. Connections that exist stay.
  void Stop();

  [[nodiscard]] std::size_t connections() const { return connections_.size(); }

 private:
  // Our own copy of a connection, watched for its end.
  struct Connection {
    UniqueFd watched;
    uid_t uid = 0;
  };

  Acceptor(EventLoop& loop,
           int listener,
           PeerPolicy policy,
           const Observers& observers,
           OnConnection on_connection)
      : loop_(loop),
        listener_(listener),
        policy_(std::move(policy)),
        observers_(observers),
        on_connection_(std::move(on_connection)) {}

  Status Listen();
  void OnReady();
  void OnNoDescriptor();
  void Admit(UniqueFd connection);
  void Keep(UniqueFd connection, uid_t uid);
  void OnEnd(int watched);
  void Resume();
  void Log(LogLevel level, std::string_view status, std::optional<uid_t> uid);

  EventLoop& loop_;
  int listener_;
  PeerPolicy policy_;
  const Observers& observers_;
  OnConnection on_connection_;
  UniqueFd spare_;  // given up to accept, and refuse, when the process is out of descriptors
  EventLoop::TimerId pause_ = 0;
  std::map<int, Connection> connections_;  // by `watched`
  BootTime second_{};                      // when the current second of records began
  int records_ = 0;                        // in it
};

}  // namespace baokms::supervisor
