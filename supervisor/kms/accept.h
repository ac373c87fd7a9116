// The accept loop in front of gRPC: peers are checked and counted before gRPC sees a byte. It never
// closes the listening socket and reads nothing from a connection.

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
#include <vector>

#include "common/base/event_loop.h"
#include "common/base/log.h"
#include "common/base/result.h"
#include "common/base/token_bucket.h"
#include "common/base/unique_fd.h"
#include "supervisor/kms/request_record.h"

namespace baokms::supervisor {

// The credentials of a peer at the time it connected (unix(7), SO_PEERCRED and SO_PEERGROUPS).
struct Peer {
  uid_t uid = 0;
  gid_t gid = 0;
  std::vector<gid_t> groups;  // supplementary groups; filled only if the policy lists groups
};

// Restricts which peers may connect, in addition to the socket's file mode: server.allowedPeers.
struct PeerPolicy {
  std::vector<uid_t> uids;
  std::vector<gid_t> gids;

  // Returns whether the peer is allowed. An empty policy leaves the decision to the socket's file
  // permissions. Otherwise the peer's uid or one of its groups must be listed.
  [[nodiscard]] bool Allows(const Peer& peer) const;

  [[nodiscard]] bool NeedsGroups() const { return !gids.empty(); }
};

// Reads the credentials of a connected UNIX socket, including its supplementary groups if `policy`
// lists groups.
Result<Peer> PeerOf(int socket, const PeerPolicy& policy);

// Not thread-safe: belongs to the loop's thread.
class Acceptor final {
 public:
  // Maximum number of open connections. An API server keeps one, and two while it reloads its
  // configuration.
  static constexpr std::size_t kMaxConnections = 64;

  // Maximum number of log records about peers per second, so that a client that connects in a loop
  // cannot flood the log.
  static constexpr int kMaxRecordsPerSecond = 16;

  // Takes ownership of each accepted connection.
  using OnConnection = std::function<void(UniqueFd)>;

  // Starts accepting. `listener` is a listening, non-blocking UNIX stream socket; it and everything
  // else passed by reference must outlive the acceptor.
  static Result<std::unique_ptr<Acceptor>> Create(EventLoop& loop,
                                                  int listener,
                                                  PeerPolicy policy,
                                                  const Observers& observers,
                                                  OnConnection on_connection);

  Acceptor(const Acceptor&) = delete;
  Acceptor& operator=(const Acceptor&) = delete;
  ~Acceptor();

  // Switches to another listening socket, after the clients that wait at the previous one were
  // accepted.
  void ListenOn(int listener);

  // Stops accepting: new clients wait in the socket's queue. Open connections are not affected.
  void Stop();

  [[nodiscard]] std::size_t connections() const { return connections_.size(); }

 private:
  // The acceptor's own duplicate of a connection, watched for the end of the connection.
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
  UniqueFd spare_;  // closed to accept and refuse a client when no descriptor is left
  EventLoop::TimerId pause_ = 0;
  std::map<int, Connection> connections_;  // keyed by `watched`
  TokenBucket records_{kMaxRecordsPerSecond, kMaxRecordsPerSecond};
};

}  // namespace baokms::supervisor
