#include "common/openbao/connections.h"

#include <algorithm>
#include <cstring>
#include <utility>

namespace baokms::openbao {

bool operator==(const Peer& a, const Peer& b) {
  return a.length == b.length && std::memcmp(&a.address, &b.address, a.length) == 0;
}

Connections::Connections(Connector& connector, std::size_t endpoint_count)
    : connector_(connector), live_(endpoint_count) {
}

int Connections::Adopt(BrokeredSocket socket, std::uint32_t endpoint, std::uint32_t address) {
  const int fd = socket.fd.release();
  by_fd_[fd] = {.socket_id = socket.id, .endpoint = endpoint, .address = address};
  ++live_[endpoint];
  return fd;
}

void Connections::Close(int fd) {
  UniqueFd closing(fd);
  const auto found = by_fd_.find(fd);
  if (found == by_fd_.end()) {
    return;
  }
  const Connection connection = found->second;
  by_fd_.erase(found);
  --live_[connection.endpoint];
  closing.reset();
  if (!connection.reported) {
    connector_.Report(connection.socket_id, Connector::SocketState::kUnusable);
  }
}

int Connections::Find(const void* tls_session) const {
  const auto found = std::find_if(by_fd_.begin(), by_fd_.end(), [&](const auto& entry) {
    return entry.second.tls_session == tls_session;
  });
  return found == by_fd_.end() || tls_session == nullptr ? -1 : found->first;
}

void Connections::NoteUsable(int fd, const void* tls_session) {
  const auto found = by_fd_.find(fd);
  if (found == by_fd_.end()) {
    return;
  }
  found->second.tls_session = tls_session;
  if (!std::exchange(found->second.reported, true)) {
    connector_.Report(found->second.socket_id, Connector::SocketState::kUsable);
  }
}

void Connections::GiveUp(int fd) {
  const auto found = by_fd_.find(fd);
  if (found == by_fd_.end()) {
    return;
  }
  const Connection& given_up = found->second;
  connector_.Report(given_up.socket_id, Connector::SocketState::kUnusable);
  for (auto& [other, connection] : by_fd_) {
    connection.is_retired = connection.is_retired || (connection.tls_session != nullptr &&
                                                      connection.endpoint == given_up.endpoint &&
                                                      connection.address == given_up.address);
  }
}

bool Connections::IsRetired(int fd) const {
  const auto found = by_fd_.find(fd);
  return found != by_fd_.end() && found->second.is_retired;
}

void Connections::Silence(int fd) {
  if (const auto found = by_fd_.find(fd); found != by_fd_.end()) {
    found->second.reported = true;
  }
}

std::uint32_t Connections::AddressOf(int fd) const {
  const auto found = by_fd_.find(fd);
  return found == by_fd_.end() ? 0 : found->second.address;
}

std::optional<Peer> Connections::PeerOf(int fd) {
  Peer peer;
  peer.length = sizeof peer.address;
  if (::getpeername(fd, reinterpret_cast<sockaddr*>(&peer.address), &peer.length) != 0) {
    return std::nullopt;
  }
  return peer;
}

}  // namespace baokms::openbao
