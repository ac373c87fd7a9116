#include "supervisor/kms/accept.h"

#include <sys/epoll.h>
#include <sys/socket.h>
#include <fcntl.h>

#include <algorithm>
#include <cerrno>
#include <iterator>
#include <string>

#include "common/base/backoff.h"
#include "common/base/error.h"
#include "supervisor/kms/handshake.h"

namespace baokms::supervisor {
namespace {

// Connections accepted before the loop serves other descriptors again.
constexpr int kBatch = 16;

// F_DUPFD_CLOEXEC returns a descriptor of at least this number: 0 to 2 stay standard streams.
constexpr int kLowestCopy = 3;

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
  for (const auto& [number, connection] : connections_) {
    loop_.Cancel(connection.deadline);
    loop_.Unwatch(connection.fd.get());
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
    pause_ = loop_.After(backoff::kAcceptAgain, [this] { Resume(); });
  }
}

void Acceptor::Resume() {
  pause_ = 0;
  if (!Listen()) {
    pause_ = loop_.After(backoff::kAcceptAgain, [this] { Resume(); });
  }
}

void Acceptor::Admit(UniqueFd connection) {
  const Result<Peer> peer = PeerOf(connection.get(), policy_);
  if (!peer) {
    Log(LogLevel::kWarn, "peer_unknown", std::nullopt);
  } else if (!policy_.Allows(*peer)) {
    Log(LogLevel::kWarn, "not_allowed", peer->uid);
  } else if (!MakeRoom(peer->uid)) {
    Log(LogLevel::kWarn, "too_many_connections", peer->uid);
  } else {
    Keep(std::move(connection), peer->uid);
  }
}

// Returns false if every connection that could be closed for this uid must stay.
bool Acceptor::MakeRoom(uid_t uid) {
  std::vector<Occupant> open;
  open.reserve(connections_.size());
  for (const auto& [number, connection] : connections_) {
    const Answered& answered = connection.answered;
    open.push_back({.uid = connection.uid,
                    .use = answered == nullptr ? ConnectionUse::kHandshake
                           : *answered         ? ConnectionUse::kAnswered
                                               : ConnectionUse::kServed});
  }
  const NewcomerDecision decision = CheckNewcomer(open, uid);
  if (decision.evict) {
    End(std::next(connections_.begin(), static_cast<std::ptrdiff_t>(*decision.evict)), "evicted");
  }
  return decision.admit;
}

void Acceptor::Keep(UniqueFd connection, uid_t uid) {
  const Number number = ++last_;
  // Edge-triggered, because the handshake stays in the socket until it is complete.
  if (!loop_.Watch(connection.get(), EPOLLIN | EPOLLRDHUP | EPOLLET,
                   [this, number](std::uint32_t events) { OnEvent(number, events); })) {
    Log(LogLevel::kWarn, "out_of_descriptors", uid);
    return;
  }
  const auto at =
      connections_.emplace(number, Connection{std::move(connection), uid, 0, nullptr}).first;
  observers_.metrics.PeerConnection(uid, 1);
  at->second.deadline = loop_.After(
      kHandshakeTime, [this, number] { End(connections_.find(number), "no_handshake"); });
  OnHandshake(at);  // a client usually sends it immediately
}

void Acceptor::OnEvent(Number number, std::uint32_t events) {
  const auto found = connections_.find(number);
  if (found == connections_.end()) {
    return;
  }
  if ((events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0) {
    End(found);
  } else if (found->second.answered == nullptr) {
    OnHandshake(found);
  }
}

void Acceptor::OnHandshake(Connections::iterator at) {
  switch (PeekHandshake(at->second.fd.get())) {
    case Handshake::kPending:
      return;
    case Handshake::kDone:
      HandOver(at);
      return;
    case Handshake::kRefused:
      End(at, "no_handshake");
      return;
  }
}

void Acceptor::HandOver(Connections::iterator at) {
  Connection& connection = at->second;
  loop_.Cancel(std::exchange(connection.deadline, 0));
  UniqueFd served = CopyOf(connection.fd.get());
  if (!served.valid() || !loop_.Modify(connection.fd.get(), EPOLLRDHUP)) {
    End(at, "out_of_descriptors");
    return;
  }
  Log(LogLevel::kInfo, "ok", connection.uid);
  connection.answered = on_connection_(std::move(served));
  if (connection.answered == nullptr) {
    End(at);
  }
}

// Closes the connection on gRPC's side as well. `status` is logged unless it is empty.
void Acceptor::End(Connections::iterator at, std::string_view status) {
  const Connection& connection = at->second;
  if (!status.empty()) {
    Log(LogLevel::kWarn, status, connection.uid);
  }
  loop_.Cancel(connection.deadline);
  loop_.Unwatch(connection.fd.get());
  (void)::shutdown(connection.fd.get(), SHUT_RDWR);
  observers_.metrics.PeerConnection(connection.uid, -1);
  connections_.erase(at);
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
