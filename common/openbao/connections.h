// The live connections that libcurl holds: the endpoint and address of each, its peer, and what was
// reported about it to the broker.

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

  // Takes over `socket` as a connection to address number `address` of `endpoint`; libcurl owns the
  // descriptor from here on.
  int Adopt(BrokeredSocket socket, std::uint32_t endpoint, std::uint32_t address);

  // Closes `fd`. A connection that never became usable is reported as unusable.
  void Close(int fd);

  // TLS is established on `fd`, as `tls_session`. Reported once.
  void NoteUsable(int fd, const void* tls_session);

  // The connection for which NoteUsable() was given `tls_session`; -1 when there is none.
  [[nodiscard]] int Find(const void* tls_session) const;

  // Nothing will be reported about `fd`: its call ended before it could become usable.
  void Silence(int fd);

  [[nodiscard]] std::uint32_t live(std::uint32_t endpoint) const { return live_[endpoint]; }

  // Names the connection in Connector::Report(); 0 when `fd` is not one of them.
  [[nodiscard]] std::uint64_t SocketId(int fd) const;

  // The number of the address that `fd` was opened to; 0 when `fd` is not one of them.
  [[nodiscard]] std::uint32_t Address(int fd) const;

  // Absent when `fd` is not connected.
  [[nodiscard]] static std::optional<Peer> PeerOf(int fd);

 private:
  struct Connection {
    std::uint64_t socket_id;
    std::uint32_t endpoint;
    std::uint32_t address;
    bool reported = false;
    const void* tls_session = nullptr;  // a name only
  };

  Connector& connector_;
  std::unordered_map<int, Connection> by_fd_;
  std::vector<std::uint32_t> live_;
};

}  // namespace baokms::openbao
