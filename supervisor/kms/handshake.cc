#include "supervisor/kms/handshake.h"

#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>

namespace baokms::supervisor {
namespace {

constexpr std::string_view kPreface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

// A frame's header (RFC 9113, section 4.1): 3 bytes length, 1 byte type, 1 byte flags, 4 bytes
// stream.
constexpr std::size_t kHeaderBytes = 9;
constexpr std::size_t kLengthBytes = 3;
constexpr char kSettingsType = 4;

// What follows the length of the first SETTINGS frame: it acknowledges nothing and belongs to the
// connection as a whole.
constexpr std::string_view kAfterLength("\x04\0\0\0\0\0", kHeaderBytes - kLengthBytes);
static_assert(kAfterLength[0] == kSettingsType);

constexpr std::size_t kMaxHandshake = kPreface.size() + kHeaderBytes + kMaxSettingsBytes;

std::size_t PayloadBytes(std::string_view frame) {
  const auto byte = [frame](std::size_t at) {
    return std::size_t{static_cast<std::uint8_t>(frame[at])};
  };
  return byte(0) << 16U | byte(1) << 8U | byte(2);
}

// Whether one of the texts begins with the other.
bool Agree(std::string_view received, std::string_view expected) {
  const std::size_t size = std::min(received.size(), expected.size());
  return received.substr(0, size) == expected.substr(0, size);
}

}  // namespace

Handshake ClassifyHandshake(std::string_view received) {
  if (!Agree(received, kPreface)) {
    return Handshake::kRefused;
  }
  if (received.size() < kPreface.size() + kLengthBytes) {
    return Handshake::kPending;
  }
  const std::string_view frame = received.substr(kPreface.size());
  const std::size_t payload = PayloadBytes(frame);
  if (payload > kMaxSettingsBytes || !Agree(frame.substr(kLengthBytes), kAfterLength)) {
    return Handshake::kRefused;
  }
  return frame.size() < kHeaderBytes + payload ? Handshake::kPending : Handshake::kDone;
}

Handshake PeekHandshake(int socket) {
  std::array<char, kMaxHandshake> bytes{};
  const ssize_t size = ::recv(socket, bytes.data(), bytes.size(), MSG_PEEK | MSG_DONTWAIT);
  if (size > 0) {
    return ClassifyHandshake({bytes.data(), static_cast<std::size_t>(size)});
  }
  const bool is_empty = size < 0 && (errno == EAGAIN || errno == EINTR);
  return is_empty ? Handshake::kPending : Handshake::kRefused;
}

}  // namespace baokms::supervisor
