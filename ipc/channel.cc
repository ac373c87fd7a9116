#include "ipc/channel.h"

#include <sys/socket.h>
#include <strings.h>

#include <array>
#include <cerrno>
#include <cstddef>
#include <cstring>

#include <google/protobuf/message_lite.h>

#include "common/base/error.h"
#include "ipc/limits.h"

namespace baokms::ipc {
namespace {

// Room for more than one descriptor, so that a protocol violation is detected and every descriptor
// is closed.
constexpr std::size_t kDescriptorRoom = 4;

struct ControlBuffer {
  alignas(cmsghdr)
      std::array<char,
                 CMSG_SPACE(sizeof(int) * kDescriptorRoom) + CMSG_SPACE(sizeof(ucred))> bytes{};
};

// Returns the header of a message with room for a body of `size` bytes: reallocation would leave a
// copy of a secret behind.
Result<std::string> BeginMessage(MessageType type, std::size_t size) {
  if (size > LimitsOf(type).max_body) {
    return Error(ErrorCode::kResourceExhausted, "message over the maximum of its type");
  }
  const auto number = static_cast<std::uint16_t>(type);
  std::string bytes;
  bytes.reserve(kHeaderSize + size);
  bytes.push_back(static_cast<char>(number & 0xffU));
  bytes.push_back(static_cast<char>(number >> 8U));
  return bytes;
}

struct Attached {
  std::array<UniqueFd, kDescriptorRoom> fds;
  std::size_t count = 0;
  std::optional<uid_t> sender;
};

// Takes ownership of every descriptor in the control data before any of it is checked.
Attached TakeAttached(msghdr* header) {
  Attached attached;
  for (cmsghdr* part = CMSG_FIRSTHDR(header); part != nullptr; part = CMSG_NXTHDR(header, part)) {
    if (part->cmsg_level == SOL_SOCKET && part->cmsg_type == SCM_CREDENTIALS) {
      ucred sender{};
      std::memcpy(&sender, CMSG_DATA(part), sizeof sender);
      attached.sender = sender.uid;
    }
    if (part->cmsg_level != SOL_SOCKET || part->cmsg_type != SCM_RIGHTS) {
      continue;
    }
    const std::size_t count = (part->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    for (std::size_t i = 0; i < count; ++i) {
      int fd = -1;
      std::memcpy(&fd, CMSG_DATA(part) + i * sizeof(int), sizeof fd);
      UniqueFd owned(fd);
      if (attached.count < kDescriptorRoom) {
        attached.fds[attached.count] = std::move(owned);
      }
      ++attached.count;
    }
  }
  return attached;
}

Result<Datagram> CheckDatagram(std::span<std::uint8_t> bytes, int flags, Attached attached) {
  if ((flags & (MSG_TRUNC | MSG_CTRUNC)) != 0 || attached.count > 1) {
    return Error(ErrorCode::kProtocolViolation, "datagram too large or with extra descriptors");
  }
  if (bytes.size() < kHeaderSize) {
    return Error(ErrorCode::kProtocolViolation, "datagram without a type");
  }
  Datagram datagram;
  datagram.type = static_cast<MessageType>(bytes[0] | (bytes[1] << 8U));
  datagram.body = bytes.subspan(kHeaderSize);
  datagram.fd = std::move(attached.fds[0]);
  datagram.sender = attached.sender;
  const std::size_t max_body = LimitsOf(datagram.type).max_body;
  if (max_body == 0 || datagram.body.size() > max_body) {
    return Error(ErrorCode::kProtocolViolation, "datagram of unknown type or over its maximum");
  }
  return datagram;
}

}  // namespace

Result<ChannelPair> MakeChannelPair() {
  std::array<int, 2> fds{};
  BAOKMS_TRY(CheckSyscall(
      ::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds.data()),
      "socketpair"));
  return ChannelPair{UniqueFd(fds[0]), UniqueFd(fds[1])};
}

Result<EncodedMessage> EncodedMessage::Encode(MessageType type,
                                              const google::protobuf::MessageLite& message) {
  std::string bytes = BAOKMS_TRY(BeginMessage(type, message.ByteSizeLong()));
  if (!message.AppendToString(&bytes)) {
    return Error(ErrorCode::kInternal, "message not serialisable");
  }
  return EncodedMessage(std::move(bytes));
}

Result<EncodedMessage> EncodedMessage::Encode(MessageType type,
                                              std::span<const std::uint8_t> body) {
  std::string bytes = BAOKMS_TRY(BeginMessage(type, body.size()));
  bytes.append(reinterpret_cast<const char*>(body.data()), body.size());
  return EncodedMessage(std::move(bytes));
}

EncodedMessage::~EncodedMessage() {
  ::explicit_bzero(bytes_.data(), bytes_.size());
}

Result<SendState> SendDatagram(int channel, const EncodedMessage& message, int attached) {
  // sendmsg(2) takes a pointer to non-const and does not write through it.
  iovec part{
      const_cast<char*>(message.bytes().data()),  // NOLINT(cppcoreguidelines-pro-type-const-cast)
      message.bytes().size()};
  msghdr header{};
  header.msg_iov = &part;
  header.msg_iovlen = 1;
  alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int))> control{};
  if (attached >= 0) {
    header.msg_control = control.data();
    header.msg_controllen = control.size();
    cmsghdr* rights = CMSG_FIRSTHDR(&header);
    rights->cmsg_level = SOL_SOCKET;
    rights->cmsg_type = SCM_RIGHTS;
    rights->cmsg_len = CMSG_LEN(sizeof(int));
    std::memcpy(CMSG_DATA(rights), &attached, sizeof attached);
  }
  for (;;) {
    if (::sendmsg(channel, &header, MSG_NOSIGNAL) >= 0) {
      return SendState::kSent;
    }
    if (errno == EAGAIN) {
      return SendState::kWouldBlock;
    }
    if (errno == EPIPE || errno == ECONNRESET) {
      return Error(ErrorCode::kUnavailable, "the peer of the channel is gone", errno);
    }
    if (errno != EINTR) {
      return Error(ErrorCode::kSystem, "sendmsg", errno);
    }
  }
}

Result<std::optional<Datagram>> ReceiveDatagram(int channel, std::span<std::uint8_t> buffer) {
  iovec part{buffer.data(), buffer.size()};
  ControlBuffer control;
  msghdr header{};
  header.msg_iov = &part;
  header.msg_iovlen = 1;
  header.msg_control = control.bytes.data();
  header.msg_controllen = control.bytes.size();
  ssize_t size = 0;
  do {
    size = ::recvmsg(channel, &header, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
  } while (size < 0 && errno == EINTR);
  if (size < 0 && errno == EAGAIN) {
    return std::optional<Datagram>();
  }
  if (size < 0 && errno != ECONNRESET) {
    return Error(ErrorCode::kSystem, "recvmsg", errno);
  }
  if (size <= 0) {
    return Error(ErrorCode::kUnavailable, "the peer of the channel is gone");
  }
  Datagram datagram = BAOKMS_TRY(CheckDatagram(buffer.first(static_cast<std::size_t>(size)),
                                               header.msg_flags, TakeAttached(&header)));
  return std::optional<Datagram>(std::move(datagram));
}

}  // namespace baokms::ipc
