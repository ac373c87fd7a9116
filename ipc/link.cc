#include "ipc/link.h"

#include <sys/epoll.h>
#include <strings.h>

#include <optional>

#include <google/protobuf/message_lite.h>

#include "common/base/error.h"
#include "ipc/limits.h"

namespace baokms::ipc {
namespace {

// Datagrams to handle before the loop serves other descriptors again.
constexpr int kBatch = 16;

constexpr std::uint32_t kReading = EPOLLIN | EPOLLRDHUP;

}  // namespace

Result<std::unique_ptr<Link>> Link::Create(
    EventLoop& loop, UniqueFd channel, LinkKind kind, OnDatagram on_datagram, OnClosed on_closed) {
  const int fd = channel.get();
  SecretBuffer buffer = BAOKMS_TRY(SecretBuffer::Allocate(
      kind == LinkKind::kToken ? kHeaderSize + kMaxTokenBody : kMaxDatagram));
  std::unique_ptr<Link> link(new Link(loop, std::move(channel), std::move(buffer),
                                      std::move(on_datagram), std::move(on_closed)));
  BAOKMS_TRY(
      loop.Watch(fd, kReading, [raw = link.get()](std::uint32_t events) { raw->OnReady(events); }));
  return link;
}

Link::~Link() {
  *self_ = nullptr;
  loop_.Unwatch(channel_.get());
}

Status Link::Send(MessageType type,
                  const google::protobuf::MessageLite& message,
                  UniqueFd attached) {
  return SendEncoded(BAOKMS_TRY(EncodedMessage::Encode(type, message)), std::move(attached));
}

Status Link::SendBytes(MessageType type, std::span<const std::uint8_t> body) {
  return SendEncoded(BAOKMS_TRY(EncodedMessage::Encode(type, body)), UniqueFd());
}

Status Link::SendEncoded(EncodedMessage message, UniqueFd attached) {
  const std::lock_guard lock(mutex_);
  if (queue_.empty()) {
    const SendState state = BAOKMS_TRY(SendDatagram(channel_.get(), message, attached.get()));
    if (state == SendState::kSent) {
      return {};
    }
    loop_.Post([self = self_] {
      if (*self != nullptr && !(*self)->closed_) {
        (void)!(*self)->loop_.Modify((*self)->channel_.get(), kReading | EPOLLOUT).has_value();
      }
    });
  }
  const std::size_t descriptors = queued_descriptors_ + (attached.valid() ? 1U : 0U);
  if (queued_bytes_ + message.bytes().size() > kMaxQueuedBytes ||
      descriptors > kMaxQueuedDescriptors) {
    return Error(ErrorCode::kResourceExhausted, "too much is waiting for a slow peer");
  }
  queued_bytes_ += message.bytes().size();
  queued_descriptors_ = descriptors;
  queue_.push_back({std::move(message), std::move(attached)});
  return {};
}

Status Link::FlushQueue() {
  const std::lock_guard lock(mutex_);
  while (!queue_.empty()) {
    const Queued& next = queue_.front();
    const SendState state =
        BAOKMS_TRY(SendDatagram(channel_.get(), next.message, next.attached.get()));
    if (state == SendState::kWouldBlock) {
      return {};
    }
    queued_bytes_ -= next.message.bytes().size();
    queued_descriptors_ -= next.attached.valid() ? 1U : 0U;
    queue_.pop_front();
  }
  return loop_.Modify(channel_.get(), kReading);
}

Status Link::ReceiveSome() {
  for (int i = 0; i < kBatch && !closed_; ++i) {
    std::optional<Datagram> datagram =
        BAOKMS_TRY(ReceiveDatagram(channel_.get(), buffer_.RevealMutable()));
    if (!datagram) {
      return {};
    }
    const std::span<std::uint8_t> body = datagram->body;
    const Status handled = on_datagram_(std::move(*datagram));
    ::explicit_bzero(body.data(), body.size());
    BAOKMS_TRY(handled);
  }
  return {};
}

void Link::OnReady(std::uint32_t events) {
  if ((events & EPOLLOUT) != 0) {
    if (const Status flushed = FlushQueue(); !flushed) {
      Close(flushed.error());
      return;
    }
  }
  // A hang-up is detected by reading, so that everything the peer sent before it left is still
  // processed.
  if ((events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0) {
    if (const Status received = ReceiveSome(); !received) {
      Close(received.error());
    }
  }
}

void Link::Close(const Error& error) {
  if (!closed_) {
    closed_ = true;
    loop_.Unwatch(channel_.get());
    on_closed_(error);
  }
}

}  // namespace baokms::ipc
