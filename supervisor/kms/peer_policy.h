// Who may connect to the KMS socket besides what its file mode says: server.allowedPeers.

#pragma once

#include <sys/types.h>

#include <cstdint>
#include <span>
#include <vector>

#include "common/base/result.h"

namespace baokms::supervisor {

// The credentials a peer had when it connected (unix(7), SO_PEERCRED and SO_PEERGROUPS).
struct Peer {
  uid_t uid = 0;
  gid_t gid = 0;
  std::vector<gid_t> groups;  // supplementary ones; filled only when a policy asks for groups
};

struct PeerPolicy {
  std::vector<uid_t> uids;
  std::vector<gid_t> gids;

  // Without any entry the socket's file permissions decide alone. Otherwise a listed uid or one
  // listed group is enough.
  [[nodiscard]] bool Allows(const Peer& peer) const;

  [[nodiscard]] bool NeedsGroups() const { return !gids.empty(); }
};

// Reads the credentials of a connected unix socket. With `policy` that names groups, its
// supplementary groups too.
Result<Peer> PeerOf(int socket, const PeerPolicy& policy);

}  // namespace baokms::supervisor
