// Restricts which peers may connect to the KMS socket, in addition to its file mode:
// server.allowedPeers.

#pragma once

#include <sys/types.h>

#include <cstdint>
#include <span>
#include <vector>

#include "common/base/result.h"

namespace baokms::supervisor {

// The credentials of a peer at the time it connected (unix(7), SO_PEERCRED and SO_PEERGROUPS).
struct Peer {
  uid_t uid = 0;
  gid_t gid = 0;
  std::vector<gid_t> groups;  // supplementary groups; filled only if the policy lists groups
};

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

}  // namespace baokms::supervisor
