// One end of a SOCK_SEQPACKET pair: sends and receives whole datagrams with at most one attached
// descriptor (unix(7), SCM_RIGHTS). It neither blocks nor queues, and does not interpret messages.

#pragma once

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <utility>

#include "common/base/result.h"
#include "common/base/unique_fd.h"
#include "ipc/message_type.h"

namespace google::protobuf {
class MessageLite;
}  // namespace google::protobuf

namespace baokms::ipc {

// A received datagram. `body` points into the buffer that was passed to ReceiveDatagram().
struct Datagram {
  MessageType type{};
  std::span<std::uint8_t> body;
  UniqueFd fd;
  // The sender's user according to the kernel, if the channel has SO_PASSCRED (unix(7)).
  std::optional<uid_t> sender;
};

struct ChannelPair {
  UniqueFd first;
  UniqueFd second;
};

// Creates a connected, non-blocking, close-on-exec pair.
Result<ChannelPair> MakeChannelPair();

// A message that is ready to be sent: type number and bytes. Wiped on destruction, because it may
// contain plaintext.
class EncodedMessage final {
 public:
  // Encodes a message. Fails when it exceeds the maximum of its type.
  static Result<EncodedMessage> Encode(MessageType type,
                                       const google::protobuf::MessageLite& message);
  static Result<EncodedMessage> Encode(MessageType type, std::span<const std::uint8_t> body);

  EncodedMessage(EncodedMessage&&) noexcept = default;
  EncodedMessage& operator=(EncodedMessage&&) noexcept = default;
  EncodedMessage(const EncodedMessage&) = delete;
  EncodedMessage& operator=(const EncodedMessage&) = delete;
  ~EncodedMessage();

  [[nodiscard]] std::span<const char> bytes() const { return bytes_; }

 private:
  explicit EncodedMessage(std::string bytes) : bytes_(std::move(bytes)) {}

  std::string bytes_;
};

enum class SendState : std::uint8_t { kSent, kWouldBlock };

// Sends one datagram on `channel` with the descriptor `attached` (-1: none); the caller keeps both.
// Fails with kUnavailable when the peer is gone.
Result<SendState> SendDatagram(int channel, const EncodedMessage& message, int attached);

// Receives one datagram into `buffer` (at least kMaxDatagram bytes), or returns nothing when none
// is waiting. kUnavailable: the peer is gone. kProtocolViolation: the datagram is too short, of
// unknown type, over the maximum of its type, or has more than one descriptor; all attached
// descriptors are then closed.
Result<std::optional<Datagram>> ReceiveDatagram(int channel, std::span<std::uint8_t> buffer);

}  // namespace baokms::ipc
