#include "supervisor/kms/accept.h"

#include <sys/epoll.h>
#include <sys/socket.h>
#include <fcntl.h>
#include <poll.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
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

// Returns how many bytes could be read, at most kFloodBytes. The filter allows no ioctl(2), which
// could tell without a copy how many wait.
std::size_t Receive(int socket, int flags) {
  std::array<std::uint8_t, kFloodBytes> copy{};
  const ssize_t size = ::recv(socket, copy.data(), copy.size(), flags | MSG_DONTWAIT);
  ::explicit_bzero(copy.data(), copy.size());
  return size > 0 ? static_cast<std::size_t>(size) : 0;
}

ConnectionLook LookAt(int socket, const CallCounts& calls) {
  pollfd writable{socket, POLLOUT, 0};
  return {.waiting = Receive(socket, MSG_PEEK),
          .unread = ::poll(&writable, 1, 0) == 0,
          .completed = calls.completed,
          .in_progress = calls.in_progress};
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
  Peer peer{credentials.uid, credentials.gid, {}, credentials.pid};
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
  loop_.Cancel(look_);
  for (const auto& [number, connection] : connections_) {
    loop_.Cancel(connection.timer);
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
    Keep(std::move(connection), *peer);
  }
}

// Returns false if every connection that could be closed for this uid must stay.
bool Acceptor::MakeRoom(uid_t uid) {
  std::vector<Occupant> open;
  open.reserve(connections_.size());
  for (const auto& [number, connection] : connections_) {
    const CallCounts* const calls = connection.calls.get();
    open.push_back({.uid = connection.uid,
                    .use = calls == nullptr        ? ConnectionUse::kHandshake
                           : calls->completed == 0 ? ConnectionUse::kServed
                                                   : ConnectionUse::kAnswered});
  }
  const NewcomerDecision decision = CheckNewcomer(open, uid);
  if (decision.evict) {
    End(std::next(connections_.begin(), static_cast<std::ptrdiff_t>(*decision.evict)), "evicted");
  }
  return decision.admit;
}

void Acceptor::Keep(UniqueFd connection, const Peer& peer) {
  const Number number = ++last_;
  // Edge-triggered, because the handshake stays in the socket until it is complete.
  if (!loop_.Watch(connection.get(), EPOLLIN | EPOLLRDHUP | EPOLLET,
                   [this, number](std::uint32_t events) { OnEvent(number, events); })) {
    Log(LogLevel::kWarn, "out_of_descriptors", peer.uid);
    return;
  }
  Connection kept{std::move(connection), peer.uid, peer.pid, 0, nullptr, {}};
  const auto at = connections_.emplace(number, std::move(kept)).first;
  observers_.metrics.PeerConnection(peer.uid, 1);
  at->second.timer = loop_.After(
      kHandshakeTime, [this, number] { End(connections_.find(number), "no_handshake"); });
  OnHandshake(at);  // a client usually sends it immediately
}

void Acceptor::OnEvent(Number number, std::uint32_t events) {
  const auto found = connections_.find(number);
  if (found == connections_.end()) {
    return;
  }
  if ((events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0) {
    OnLeft(found);
  } else if (found->second.calls == nullptr) {
    OnHandshake(found);
  }
}

// A flood may also come in many connections that are closed again before anybody has looked at
// them.
void Acceptor::OnLeft(Connections::iterator at) {
  const Connection& connection = at->second;
  if (connection.calls != nullptr && connection.calls->completed == 0 &&
      Receive(connection.fd.get(), MSG_PEEK) >= kFloodBytes) {
    penalties_.Punish(connection.uid, connection.pid, BootNow());
    End(at, "flood");
  } else {
    End(at);
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
  loop_.Cancel(std::exchange(connection.timer, 0));
  const BootTime wait = penalties_.Left(connection.uid, connection.pid, BootNow());
  if (wait > BootTime::zero()) {
    const Number number = at->first;
    connection.timer =
        loop_.After(wait, [this, number] { OnHandshake(connections_.find(number)); });
    return;
  }
  UniqueFd served = CopyOf(connection.fd.get());
  if (!served.valid() || !loop_.Modify(connection.fd.get(), EPOLLRDHUP)) {
    End(at, "out_of_descriptors");
    return;
  }
  Log(LogLevel::kInfo, "ok", connection.uid);
  connection.calls = on_connection_(std::move(served));
  if (connection.calls == nullptr) {
    End(at);
  } else if (look_ == 0) {
    look_ = loop_.After(kFloodLook, [this] { LookForFloods(); });
  }
}

void Acceptor::LookForFloods() {
  const HeapWatch::Verdict heap = heap_.Look(BootNow());
  bool served = false;
  bool suspected = false;
  for (auto next = connections_.begin(); next != connections_.end();) {
    const auto at = next++;
    Connection& connection = at->second;
    if (connection.calls == nullptr) {
      continue;
    }
    const ConnectionLook look = LookAt(connection.fd.get(), *connection.calls);
    suspected = connection.signs.Look(look) || suspected;
    if (const std::string_view why = Judge(connection, heap); why.empty()) {
      served = true;
    } else {
      End(at, why);
      heap_.TrimLater(BootNow());
    }
  }
  look_ = 0;
  if (served || heap_.WillTrim()) {
    look_ = loop_.After(suspected ? kFloodLookAgain : kFloodLook, [this] { LookForFloods(); });
  }
}

// Returns why the connection has to end; empty if it may stay.
std::string_view Acceptor::Judge(Connection& connection, HeapWatch::Verdict heap) {
  const FloodSigns& signs = connection.signs;
  const bool memory_is_short = heap != HeapWatch::Verdict::kFine;
  const bool certain = signs.Certain(memory_is_short);
  if (certain || (memory_is_short && signs.Useless())) {
    penalties_.Punish(connection.uid, connection.pid, BootNow());
    return certain ? "flood" : "out_of_memory";
  }
  return heap == HeapWatch::Verdict::kEndIdle && signs.Idle() ? "out_of_memory" : "";
}

// Closes the connection on gRPC's side as well, which would read what has arrived before
// nevertheless. `status` is logged unless it is empty.
void Acceptor::End(Connections::iterator at, std::string_view status) {
  const Connection& connection = at->second;
  if (!status.empty()) {
    Log(LogLevel::kWarn, status, connection.uid);
  }
  loop_.Cancel(connection.timer);
  loop_.Unwatch(connection.fd.get());
  (void)::shutdown(connection.fd.get(), SHUT_RDWR);
  while (Receive(connection.fd.get(), 0) > 0) {
  }
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
