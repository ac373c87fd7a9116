// One end of a SOCK_SEQPACKET pair: whole datagrams in and out, at most one descriptor attached
// (unix(7), SCM_RIGHTS). It neither waits nor queues, and does not know what a message means.

#pragma once

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

// A received datagram. `body` points into the buffer that was given to Receive().
struct Datagram {
  MessageType type{};
  std::span<std::uint8_t> body;
  UniqueFd fd;
};

struct ChannelPair {
  UniqueFd first;
  UniqueFd second;
};

// Makes a connected, non-blocking, close-on-exec pair.
Result<ChannelPair> MakeChannelPair();

// A message ready to be sent: type number and bytes. Wiped when it dies, since it may hold
// plaintext.
class EncodedMessage final {
 public:
  // Fails when the message is over the maximum of its type.
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

// Sends one datagram on `channel`, with `attached` (-1: none) as its descriptor; the caller keeps
// both. kUnavailable: the peer is gone.
Result<SendState> SendDatagram(int channel, const EncodedMessage& message, int attached);

// Receives one datagram into `buffer` (kMaxDatagram bytes at least); nothing when none is waiting.
// kUnavailable: the peer is gone. kProtocolViolation: too short, of no known type, over the maximum
// of its type, or with more than one descriptor; all attached descriptors are closed then.
Result<std::optional<Datagram>> ReceiveDatagram(int channel, std::span<std::uint8_t> buffer);

}  // namespace baokms::ipc
