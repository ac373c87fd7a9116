// The live connections libcurl holds: which endpoint each goes to, who is at its other end, and
// what the broker was told about it.

#pragma once

#include <sys/socket.h>

#include <cstdint>
#include <optional>
#include <unordered_map>
#include <vector>

#include "common/openbao/connector.h"

namespace baokms::openbao {

// The address at the other end of a connection.
struct Peer {
  sockaddr_storage address{};
  socklen_t length = 0;

  friend bool operator==(const Peer& a, const Peer& b);
};

class Connections final {
 public:
  // `connector` must outlive this object. Endpoints are numbered from 0 to `endpoint_count` - 1.
  Connections(Connector& connector, std::size_t endpoint_count);

  // Takes over `socket` as a connection to `endpoint`; libcurl owns the descriptor from here on.
  int Adopt(BrokeredSocket socket, std::uint32_t endpoint);

  // Closes `fd`. A connection that never became usable is reported as unusable.
  void Close(int fd);

  // TLS is up on `fd`, as `tls_session`. Reported once.
  void NoteUsable(int fd, const void* tls_session);

  // The connection that NoteUsable() was told this of; -1 when there is none.
  [[nodiscard]] int Find(const void* tls_session) const;

  // No verdict will be given on `fd`: nobody waited for it to become usable.
  void Silence(int fd);

  [[nodiscard]] std::uint32_t live(std::uint32_t endpoint) const { return live_[endpoint]; }

  // Names the connection in Connector::Report(); 0 when `fd` is none.
  [[nodiscard]] std::uint64_t SocketId(int fd) const;

  // Absent when `fd` is not connected.
  [[nodiscard]] static std::optional<Peer> PeerOf(int fd);

 private:
  struct Connection {
    std::uint64_t socket_id;
    std::uint32_t endpoint;
    bool judged = false;
    const void* tls_session = nullptr;  // a name only
  };

  Connector& connector_;
  std::unordered_map<int, Connection> by_fd_;
  std::vector<std::uint32_t> live_;
};

}  // namespace baokms::openbao
