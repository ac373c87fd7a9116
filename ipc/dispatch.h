// Defines as data which message may arrive when: one row per message type with its handler, the
// phases in which it is allowed, and whether it carries a descriptor. The form (ipc/message_form.h)
// and the rate (ipc/limits.h) of every message are checked here before its handler runs, so that no
// channel can omit a check. Anything else violates the protocol.

#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
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

// Returns whether a parsed message has top-level fields that its type does not define.
[[nodiscard]] bool HasUnknownFields(const google::protobuf::MessageLite& message);

// The phases of one channel, as bits. Each side tracks its own current phase.
enum Phase : std::uint32_t {
  kPhaseHello = 1,    // before the peer's Hello
  kPhaseServing = 2,  // after the peer's Hello
};

enum class Descriptor : std::uint8_t { kNone, kOptional, kRequired };

class Dispatch final {
 public:
  // Receives the raw body, which is wiped after the call. An error terminates the peer.
  using RawHandler = std::function<Status(std::span<std::uint8_t> body, UniqueFd fd)>;

  // Adds one row. `phases` is a set of Phase bits.
  void AddRaw(MessageType type, std::uint32_t phases, Descriptor descriptor, RawHandler handler);

  // Adds a row whose body is the protobuf message `Message`. Bodies that do not parse, that are not
  // in canonical form (a repeated singular field, an overlong varint, an explicit default, a field
  // that this build does not know), or that CheckForm() refuses are protocol violations.
  template <typename Message>
  void Add(MessageType type, std::uint32_t phases, std::function<Status(Message&)> handler) {
    AddWithDescriptor<Message>(
        type, phases, Descriptor::kNone,
        [handler = std::move(handler)](Message& message, UniqueFd) { return handler(message); });
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

  // Passes the datagram to its row. Returns kProtocolViolation when there is no row, the phase is
  // wrong, a descriptor is missing or unexpected, the rate at `now` exceeds MessageLimits::flow,
  // the message is malformed, or the handler reports a violation.
  Status Deliver(Datagram datagram, Phase phase, BootTime now = BootNow());

 private:
  struct Row {
    MessageType type;
    std::uint32_t phases;
    Descriptor descriptor;
    RawHandler handler;
    std::optional<TokenBucket> flow;  // none: the type has no rate limit of its own
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
