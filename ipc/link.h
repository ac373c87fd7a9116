// A channel on an event loop: receives into locked memory that is wiped after each datagram, and
// queues what a slow peer does not take yet. The owner decides what a datagram means.

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

// How much of `kMaxDatagram` this link has to be able to receive.
enum class LinkKind : std::uint8_t {
  kGeneral,  // any message
  kToken,    // agent and worker: the body of a Token at most
};

// Send() may be called from any thread; everything else belongs to the loop's thread. Destroy it
// there too, never from inside its own callbacks.
class Link final {
 public:
  // What the owner does with a datagram. An error means that the peer broke the protocol.
  using OnDatagram = std::function<Status(Datagram)>;
  // Called once, when the peer is gone (kUnavailable) or broke the protocol (kProtocolViolation).
  // Nothing is received after it.
  using OnClosed = std::function<void(const Error&)>;

  // `loop` must outlive the link.
  static Result<std::unique_ptr<Link>> Create(
      EventLoop& loop, UniqueFd channel, LinkKind kind, OnDatagram on_datagram, OnClosed on_closed);

  Link(const Link&) = delete;
  Link& operator=(const Link&) = delete;
  ~Link();

  // Sends or queues one message; with `attached`, that descriptor goes along and is closed here.
  // kResourceExhausted: over the message's maximum, or kMaxQueuedBytes or kMaxQueuedDescriptors are
  // waiting already.
  // kUnavailable: the peer is gone.
  Status Send(MessageType type, const google::protobuf::MessageLite& message);
  Status Send(MessageType type, const google::protobuf::MessageLite& message, UniqueFd attached);
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
  // Outlives the link inside tasks that Send() posted to the loop.
  std::shared_ptr<Link*> self_ = std::make_shared<Link*>(this);
  std::mutex mutex_;
  std::deque<Queued> queue_;            // guarded by mutex_
  std::size_t queued_bytes_ = 0;        // guarded by mutex_
  std::size_t queued_descriptors_ = 0;  // guarded by mutex_
};

}  // namespace baokms::ipc
