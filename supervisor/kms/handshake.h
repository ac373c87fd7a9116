// How an HTTP/2 client opens a connection (RFC 9113, section 3.4): with a fixed preface and a
// SETTINGS frame, and without waiting for the server. The bytes are inspected and left in the
// socket for gRPC, so that a connection costs gRPC nothing before its client has said something.

#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace baokms::supervisor {

enum class Handshake : std::uint8_t {
  kPending,  // the beginning of a handshake, or nothing yet
  kDone,     // the preface and a complete SETTINGS frame
  kRefused,  // anything else
};

// Maximum size of the first SETTINGS frame's payload. RFC 9113 allows 16 KiB; each setting has 6
// bytes, and clients send fewer than ten.
inline constexpr std::size_t kMaxSettingsBytes = 768;

// Classifies everything that a client has sent so far.
Handshake ClassifyHandshake(std::string_view received);

// Classifies what waits in the receive buffer of `socket`. kRefused also if the socket has failed.
Handshake PeekHandshake(int socket);

}  // namespace baokms::supervisor
