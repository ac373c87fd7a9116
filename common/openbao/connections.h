// The live connections that libcurl holds: the endpoint and address of each, its peer, and the
// reports about it to the broker.

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

  // Takes ownership of `socket` as a connection to address number `address` of `endpoint`, and
  // returns its descriptor, which libcurl owns from then on.
  int Adopt(BrokeredSocket socket, std::uint32_t endpoint, std::uint32_t address);

  // Closes `fd`. A connection that never became usable is reported as unusable.
  void Close(int fd);

  // Records that TLS is established on `fd`, as `tls_session`. Reported once.
  void NoteUsable(int fd, const void* tls_session);

  // Returns the connection for which NoteUsable() received `tls_session`, or -1.
  [[nodiscard]] int Find(const void* tls_session) const;

  // Reports `fd`, which was usable, as unusable: its server does not answer, or another one should.
  // Retires it and the other usable connections to the same address.
  void GiveUp(int fd);

  // Returns whether no further request may be sent on `fd`.
  [[nodiscard]] bool IsRetired(int fd) const;

  // Suppresses reports about `fd`, because its call ended before the connection could become
  // usable.
  void Silence(int fd);

  [[nodiscard]] std::uint32_t live(std::uint32_t endpoint) const { return live_[endpoint]; }

  // Returns the connector's number of the address; 0 when `fd` is not one of these connections.
  [[nodiscard]] std::uint32_t AddressOf(int fd) const;

  // Returns the peer; absent when `fd` is not connected.
  [[nodiscard]] static std::optional<Peer> PeerOf(int fd);

 private:
  struct Connection {
    std::uint64_t socket_id;
    std::uint32_t endpoint;
    std::uint32_t address;
    bool reported = false;
    bool is_retired = false;
    const void* tls_session = nullptr;  // an identifier, never dereferenced
  };

  Connector& connector_;
  std::unordered_map<int, Connection> by_fd_;
  std::vector<std::uint32_t> live_;
};

}  // namespace baokms::openbao
