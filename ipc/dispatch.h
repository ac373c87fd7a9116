// Which message may arrive when, as data: one row per message with its handler, the phases it is
// allowed in and whether a descriptor comes along. The form (ipc/message_form.h) and the rate
// (ipc/limits.h) of every message are checked here, before its handler sees it, so that no channel
// can forget one. Anything else is a breach of the protocol.

#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "common/base/clock.h"
#include "common/base/error.h"
#include "common/base/result.h"
#include "common/base/token_bucket.h"
#include "common/base/unique_fd.h"
#include "ipc/channel.h"
#include "ipc/message_form.h"
#include "ipc/message_type.h"

namespace google::protobuf {
class MessageLite;
}  // namespace google::protobuf

namespace baokms::ipc {

// Whether a parsed message carries fields at its top level that its type does not have.
[[nodiscard]] bool HasUnknownFields(const google::protobuf::MessageLite& message);

// Phases of one channel, as bits. Each side keeps its own current phase.
enum Phase : std::uint32_t {
  kPhaseHello = 1,    // before the peer's Hello
  kPhaseServing = 2,  // after it
};

enum class Descriptor : std::uint8_t { kNone, kOptional, kRequired };

class Dispatch final {
 public:
  // Gets the raw body, which is wiped after the call. An error ends the peer.
  using RawHandler = std::function<Status(std::span<std::uint8_t> body, UniqueFd fd)>;

  // Adds one row. `phases` is a set of Phase bits.
  void AddRaw(MessageType type, std::uint32_t phases, Descriptor descriptor, RawHandler handler);

  // Adds a row whose body is the protobuf message `Message`. Bytes that are not one, or not the one
  // way to write it (a field twice, a long varint, a default written out, a field that this build
  // does not know), and messages that CheckForm() refuses are breaches.
  template <typename Message>
  void Add(MessageType type, std::uint32_t phases, std::function<Status(Message&)> handler) {
    AddRaw(type, phases, Descriptor::kNone,
           [handler = std::move(handler)](std::span<std::uint8_t> body, UniqueFd) -> Status {
             Message message = BAOKMS_TRY(Parse<Message>(body));
             return handler(message);
           });
  }

  // The same for a message that carries a descriptor.
  template <typename Message>
  void AddWithDescriptor(MessageType type,
                         std::uint32_t phases,
                         Descriptor descriptor,
                         std::function<Status(Message&, UniqueFd)> handler) {
    AddRaw(type, phases, descriptor,
           [handler = std::move(handler)](std::span<std::uint8_t> body, UniqueFd fd) -> Status {
             Message message = BAOKMS_TRY(Parse<Message>(body));
             return handler(message, std::move(fd));
           });
  }

  // Hands the datagram to its row. kProtocolViolation: no row, wrong phase, missing or extra
  // descriptor, more than FlowLimitOf() allows by `now`, malformed, or the handler says so.
  Status Deliver(Datagram datagram, Phase phase, BootTime now = BootNow());

  // The table as text, a row a line: for tests and for reviewers.
  [[nodiscard]] std::string ToText() const;

 private:
  struct Row {
    MessageType type;
    std::uint32_t phases;
    Descriptor descriptor;
    RawHandler handler;
    std::optional<TokenBucket> flow;  // none: the type has no limit of its own
  };

  template <typename Message>
  static Result<Message> Parse(std::span<const std::uint8_t> body) {
    Message message;
    if (!message.ParseFromArray(body.data(), static_cast<int>(body.size())) ||
        message.ByteSizeLong() != body.size() || HasUnknownFields(message)) {
      return Error(ErrorCode::kProtocolViolation, "body is not the message that its type names");
    }
    BAOKMS_TRY(CheckForm(message));
    return message;
  }

  std::vector<Row> rows_;
};

}  // namespace baokms::ipc
