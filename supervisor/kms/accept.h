// The accept loop in front of gRPC: peers are checked and counted, and must complete the HTTP/2
// handshake, before gRPC sees a byte. Clients that flood gRPC are disconnected. It never closes the
// listening socket and takes nothing out of a connection before its end.

#pragma once

#include <sys/types.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include "common/base/clock.h"
#include "common/base/event_loop.h"
#include "common/base/log.h"
#include "common/base/result.h"
#include "common/base/token_bucket.h"
#include "common/base/unique_fd.h"
#include "supervisor/kms/call_counts.h"
#include "supervisor/kms/eviction.h"
#include "supervisor/kms/flood_watch.h"
#include "supervisor/kms/request_record.h"

namespace baokms::supervisor {

// The credentials of a peer at the time it connected (unix(7), SO_PEERCRED and SO_PEERGROUPS).
struct Peer {
  uid_t uid = 0;
  gid_t gid = 0;
  std::vector<gid_t> groups{};  // supplementary groups; filled only if the policy lists groups
  pid_t pid = 0;                // 0: a process of another PID namespace
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
  // Time limit for the HTTP/2 handshake, counted from accept(2).
  static constexpr std::chrono::milliseconds kHandshakeTime{2000};

  // Maximum number of log records about peers per second, so that a client that connects in a loop
  // cannot flood the log.
  static constexpr int kMaxRecordsPerSecond = 16;

  // Takes ownership of a connection whose client has completed the handshake. Returns its calls;
  // null if the connection was not taken.
  using OnConnection = std::function<std::shared_ptr<const CallCounts>(UniqueFd)>;

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
  // Numbers only grow, so the first connection in the map is the oldest.
  using Number = std::uint64_t;

  // Watched for the handshake and then, beside gRPC's duplicate, for the end of the connection.
  struct Connection {
    UniqueFd fd;
    uid_t uid = 0;
    pid_t pid = 0;
    EventLoop::TimerId timer = 0;  // deadline of the handshake, then the end of a penalty
    std::shared_ptr<const CallCounts> calls;  // null until gRPC has the connection
    FloodSigns signs;
  };

  using Connections = std::map<Number, Connection>;

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
  bool MakeRoom(uid_t uid);
  void Keep(UniqueFd connection, const Peer& peer);
  void OnEvent(Number number, std::uint32_t events);
  void OnLeft(Connections::iterator at);
  void OnHandshake(Connections::iterator at);
  void HandOver(Connections::iterator at);
  void LookForFloods();
  std::string_view Judge(Connection& connection, HeapWatch::Verdict heap);
  void End(Connections::iterator at, std::string_view status = {});
  void Resume();
  void Log(LogLevel level, std::string_view status, std::optional<uid_t> uid);

  EventLoop& loop_;
  int listener_;
  PeerPolicy policy_;
  const Observers& observers_;
  OnConnection on_connection_;
  UniqueFd spare_;  // closed to accept and refuse a client when no descriptor is left
  EventLoop::TimerId pause_ = 0;
  EventLoop::TimerId look_ = 0;  // runs while gRPC has a connection
  FloodPenalties penalties_;
  HeapWatch heap_;
  Connections connections_;
  Number last_ = 0;
  TokenBucket records_{kMaxRecordsPerSecond, kMaxRecordsPerSecond};
};

}  // namespace baokms::supervisor
