// The other end of a channel of the supervisor's, played by a test.

#pragma once

#include <sys/socket.h>

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <google/protobuf/message_lite.h>
#include <gtest/gtest.h>

#include "common/base/unique_fd.h"
#include "ipc/channel.h"
#include "ipc/limits.h"
#include "ipc/message_type.h"
#include "proto/ipc.pb.h"

namespace baokms::supervisor {

class Peer final {
 public:
  explicit Peer(UniqueFd fd) : fd_(std::move(fd)) {}

  void Send(ipc::MessageType type, const google::protobuf::MessageLite& message, int fd = -1) {
    const auto encoded = ipc::EncodedMessage::Encode(type, message);
    (void)ipc::SendDatagram(fd_.get(), encoded.value(), fd).has_value();
  }

  // Type number and body as they are; may break every rule. False: the channel is full or closed.
  bool SendRaw(ipc::MessageType type, const std::string& body) {
    return SendBytes(std::string{static_cast<char>(type), 0} + body);
  }

  bool SendBytes(const std::string& bytes) {
    return ::send(fd_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL) >= 0;
  }

  void SayHello(ipc::Role role, std::uint32_t version = ipc::kProtocolVersion) {
    ipc::Hello hello;
    hello.set_protocol_version(version);
    hello.set_role(role);
    Send(ipc::MessageType::kHello, hello);
  }

  // The next message of this type that has come already, with its descriptor; others are skipped.
  template <typename Message>
  std::optional<std::pair<Message, UniqueFd>> Receive(ipc::MessageType type) {
    for (;;) {
      auto datagram = ipc::ReceiveDatagram(fd_.get(), buffer_);
      if (!datagram || !*datagram) {
        return std::nullopt;
      }
      if ((*datagram)->type == type) {
        Message message;
        const auto body = (*datagram)->body;
        EXPECT_TRUE(message.ParseFromArray(body.data(), static_cast<int>(body.size())));
        return std::pair(std::move(message), std::move((*datagram)->fd));
      }
    }
  }

  void Leave() { fd_.reset(); }

  [[nodiscard]] int fd() const { return fd_.get(); }

 private:
  UniqueFd fd_;
  std::vector<std::uint8_t> buffer_ = std::vector<std::uint8_t>(ipc::kMaxDatagram);
};

}  // namespace baokms::supervisor
