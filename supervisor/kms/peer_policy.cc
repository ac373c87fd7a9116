#include "supervisor/kms/peer_policy.h"

#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <utility>
#include <vector>

#include "common/base/error.h"
#include "common/base/result.h"

namespace baokms::supervisor {
namespace {

// The kernel's NGROUPS_MAX.
constexpr std::size_t kMaxGroups = 65536;

// SO_PEERGROUPS fails with ERANGE and the needed length when the buffer is too small (socket(7)).
Result<std::vector<gid_t>> GroupsOf(int socket) {
  std::vector<gid_t> groups(32);
  for (;;) {
    auto length = static_cast<socklen_t>(groups.size() * sizeof(gid_t));
    if (::getsockopt(socket, SOL_SOCKET, SO_PEERGROUPS, groups.data(), &length) == 0) {
      groups.resize(length / sizeof(gid_t));
      return groups;
    }
    const std::size_t needed = length / sizeof(gid_t);
    if (errno != ERANGE || needed <= groups.size() || needed > kMaxGroups) {
      return Error(ErrorCode::kSystem, "getsockopt(SO_PEERGROUPS)", errno);
    }
    groups.resize(needed);
  }
}

}  // namespace

bool PeerPolicy::Allows(const Peer& peer) const {
  if (uids.empty() && gids.empty()) {
    return true;
  }
  const auto is_listed = [this](gid_t gid) {
    return std::ranges::find(gids, gid) != gids.end();
  };
  return std::ranges::find(uids, peer.uid) != uids.end() || is_listed(peer.gid) ||
         std::ranges::any_of(peer.groups, is_listed);
}

Result<Peer> PeerOf(int socket, const PeerPolicy& policy) {
  ucred credentials{};
  socklen_t length = sizeof credentials;
  if (::getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &credentials, &length) != 0) {
    return Error(ErrorCode::kSystem, "getsockopt(SO_PEERCRED)", errno);
  }
  Peer peer{credentials.uid, credentials.gid, {}};
  if (policy.NeedsGroups()) {
    peer.groups = BAOKMS_TRY(GroupsOf(socket));
  }
  return peer;
}

}  // namespace baokms::supervisor
