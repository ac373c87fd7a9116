#include "supervisor/kms/accept.h"

#include <sys/epoll.h>
#include <sys/socket.h>
#include <fcntl.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <string>

#include "common/base/clock.h"
#include "common/base/error.h"

namespace baokms::supervisor {
namespace {

// Connections accepted before the loop serves other descriptors again.
constexpr int kBatch = 16;

// F_DUPFD_CLOEXEC returns a descriptor of at least this number: 0 to 2 stay standard streams.
constexpr int kLowestCopy = 3;

// Pause between attempts while the process is out of descriptors and the spare did not help.
constexpr BootTime kPause = std::chrono::milliseconds(100);

UniqueFd CopyOf(int fd) {
  return UniqueFd(::fcntl(fd, F_DUPFD_CLOEXEC, kLowestCopy));
}

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

Result<std::unique_ptr<Acceptor>> Acceptor::Create(EventLoop& loop,
                                                   int listener,
                                                   PeerPolicy policy,
                                                   const Observers& observers,
                                                   OnConnection on_connection) {
  std::unique_ptr<Acceptor> acceptor(
      new Acceptor(loop, listener, std::move(policy), observers, std::move(on_connection)));
  // Any open descriptor serves as the spare; duplicating one needs no permission to open a file.
  acceptor->spare_ = CopyOf(listener);
  if (!acceptor->spare_.valid()) {
    return Error(ErrorCode::kSystem, "fcntl(F_DUPFD_CLOEXEC)", errno);
  }
  BAOKMS_TRY(acceptor->Listen());
  return acceptor;
}

Acceptor::~Acceptor() {
  Stop();
  for (const auto& [fd, connection] : connections_) {
    loop_.Unwatch(fd);
  }
}

Status Acceptor::Listen() {
  return loop_.Watch(listener_, EPOLLIN, [this](std::uint32_t) { OnReady(); });
}

void Acceptor::Stop() {
  loop_.Cancel(std::exchange(pause_, 0));
  loop_.Unwatch(listener_);
}

void Acceptor::ListenOn(int listener) {
  OnReady();
  Stop();
  listener_ = listener;
  Resume();
}

void Acceptor::OnReady() {
  for (int i = 0; i < kBatch; ++i) {
    UniqueFd connection(::accept4(listener_, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
    if (connection.valid()) {
      Admit(std::move(connection));
      continue;
    }
    if (errno == EINTR || errno == ECONNABORTED) {
      continue;
    }
    if (errno != EAGAIN) {
      OnNoDescriptor();
    }
    return;
  }
}

// The process is out of descriptors or memory. The next waiting client is accepted on the spare
// descriptor and disconnected; left in the queue, it would make the level-triggered loop spin.
void Acceptor::OnNoDescriptor() {
  spare_.reset();
  UniqueFd refused(::accept4(listener_, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
  const bool helped = refused.valid();
  refused.reset();
  spare_ = CopyOf(listener_);
  if (helped) {
    Log(LogLevel::kWarn, "out_of_descriptors", std::nullopt);
  } else {
    Stop();
    pause_ = loop_.After(kPause, [this] { Resume(); });
  }
}

void Acceptor::Resume() {
  pause_ = 0;
  if (!Listen()) {
    pause_ = loop_.After(kPause, [this] { Resume(); });
  }
}

void Acceptor::Admit(UniqueFd connection) {
  const Result<Peer> peer = PeerOf(connection.get(), policy_);
  if (!peer) {
    Log(LogLevel::kWarn, "peer_unknown", std::nullopt);
  } else if (!policy_.Allows(*peer)) {
    Log(LogLevel::kWarn, "not_allowed", peer->uid);
  } else if (connections_.size() >= kMaxConnections) {
    Log(LogLevel::kWarn, "too_many_connections", peer->uid);
  } else {
    Keep(std::move(connection), peer->uid);
  }
}

void Acceptor::Keep(UniqueFd connection, uid_t uid) {
  UniqueFd watched = CopyOf(connection.get());
  const int key = watched.get();
  if (!watched.valid() ||
      !loop_.Watch(key, EPOLLRDHUP, [this, key](std::uint32_t) { OnEnd(key); })) {
    Log(LogLevel::kWarn, "out_of_descriptors", uid);
    return;
  }
  connections_.emplace(key, Connection{std::move(watched), uid});
  observers_.metrics.PeerConnection(uid, 1);
  Log(LogLevel::kInfo, "ok", uid);
  on_connection_(std::move(connection));
}

void Acceptor::OnEnd(int watched) {
  const auto found = connections_.find(watched);
  if (found != connections_.end()) {
    loop_.Unwatch(watched);
    observers_.metrics.PeerConnection(found->second.uid, -1);
    connections_.erase(found);
  }
}

void Acceptor::Log(LogLevel level, std::string_view status, std::optional<uid_t> uid) {
  if (!records_.Take(BootNow()) || !observers_.log.Enabled(level)) {
    return;
  }
  LogRecord record;
  record.level = level;
  record.event = "kms.connection";
  record.fields.emplace_back("status", std::string(status));
  if (uid) {
    record.fields.emplace_back("peer_uid", std::int64_t{*uid});
  }
  observers_.log.Write(record);
}

}  // namespace baokms::supervisor
