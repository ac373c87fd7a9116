// Who must leave when a further client connects to the full KMS socket.

#pragma once

#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

namespace baokms::supervisor {

// Maximum number of open connections, in total and of one uid. An API server keeps one, and two
// while it reloads its configuration.
inline constexpr std::size_t kMaxConnections = 64;
inline constexpr std::size_t kMaxConnectionsPerUid = 32;

// A uid with no more connections than this never loses one with a completed call.
inline constexpr std::size_t kSafeConnectionsPerUid = 8;

enum class ConnectionUse : std::uint8_t {
  kHandshake,  // the client has not completed the HTTP/2 handshake
  kServed,     // gRPC has the connection; no call has completed
  kAnswered,   // a call has completed
};

// An open connection.
struct Occupant {
  uid_t uid = 0;
  ConnectionUse use{};
};

struct NewcomerDecision {
  bool admit = false;
  std::optional<std::size_t> evict;  // index of the connection to be closed first
};

// Decides about a new connection of `uid`. `open` has the oldest connection first.
// - The connection that leaves has no completed call. It belongs to the uid that has the most, is
//   preferably still in its handshake, and is otherwise the oldest.
// - If all calls have completed, a uid with more than kSafeConnectionsPerUid loses its oldest
//   connection to another uid: with a call on each connection, two uids could keep a third out.
// - A uid never loses a connection to one that would then have more, and a uid at its own maximum
//   only replaces its own.
NewcomerDecision CheckNewcomer(std::span<const Occupant> open, uid_t uid);

}  // namespace baokms::supervisor
