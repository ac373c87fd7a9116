// A channel on an event loop: receives into locked memory that is wiped after each datagram, and
// queues what a slow peer does not accept yet. The owner interprets the datagrams.

#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <span>
#include <utility>

#include "common/base/event_loop.h"
#include "common/base/result.h"
#include "common/base/secret_buffer.h"
#include "common/base/unique_fd.h"
#include "ipc/channel.h"
#include "ipc/message_type.h"

namespace baokms::ipc {

// How much of `kMaxDatagram` this link must be able to receive.
enum class LinkKind : std::uint8_t {
  kGeneral,  // any message
  kToken,    // agent, worker and spawner: the body of a Token is the largest
};

// Send() may be called from any thread; everything else must be called on the loop's thread.
// Destroy the link on that thread too, but never from inside its own callbacks.
class Link final {
 public:
  // Handles a datagram. An error means that the peer violated the protocol.
  using OnDatagram = std::function<Status(Datagram)>;
  // Called once, when the peer is gone (kUnavailable) or violated the protocol
  // (kProtocolViolation). Nothing is received afterwards.
  using OnClosed = std::function<void(const Error&)>;

  // `loop` must outlive the link.
  static Result<std::unique_ptr<Link>> Create(
      EventLoop& loop, UniqueFd channel, LinkKind kind, OnDatagram on_datagram, OnClosed on_closed);

  Link(const Link&) = delete;
  Link& operator=(const Link&) = delete;
  ~Link();

  // Sends or queues one message. With `attached`, that descriptor is sent along and closed here.
  // kResourceExhausted: the message exceeds its maximum, or kMaxQueuedBytes or
  // kMaxQueuedDescriptors are already queued. kUnavailable: the peer is gone.
  Status Send(MessageType type,
              const google::protobuf::MessageLite& message,
              UniqueFd attached = UniqueFd());
  Status SendBytes(MessageType type, std::span<const std::uint8_t> body);

 private:
  struct Queued {
    EncodedMessage message;
    UniqueFd attached;
  };

  Link(EventLoop& loop,
       UniqueFd channel,
       SecretBuffer buffer,
       OnDatagram on_datagram,
       OnClosed closed)
      : loop_(loop),
        channel_(std::move(channel)),
        buffer_(std::move(buffer)),
        on_datagram_(std::move(on_datagram)),
        on_closed_(std::move(closed)) {}

  Status SendEncoded(EncodedMessage message, UniqueFd attached);
  void OnReady(std::uint32_t events);
  Status ReceiveSome();
  Status FlushQueue();
  void Close(const Error& error);

  EventLoop& loop_;
  UniqueFd channel_;
  SecretBuffer buffer_;
  OnDatagram on_datagram_;
  OnClosed on_closed_;
  bool closed_ = false;
  // Outlives the link in tasks that Send() posted to the loop.
  std::shared_ptr<Link*> self_ = std::make_shared<Link*>(this);
  std::mutex mutex_;
  std::deque<Queued> queue_;            // guarded by mutex_
  std::size_t queued_bytes_ = 0;        // guarded by mutex_
  std::size_t queued_descriptors_ = 0;  // guarded by mutex_
};

}  // namespace baokms::ipc
