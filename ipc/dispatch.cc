#include "ipc/dispatch.h"

#include <algorithm>

#include <google/protobuf/message_lite.h>

#include "ipc/limits.h"

namespace baokms::ipc {
namespace {

// The lite runtime keeps unknown fields and counts them in the size of a message, but generates no
// accessor for them in proto3. They are in a protected member of the base class.
struct Metadata : google::protobuf::MessageLite {
  static bool HasUnknown(const google::protobuf::MessageLite& message) {
    return (message.*&Metadata::_internal_metadata_).have_unknown_fields();
  }
};

}  // namespace

bool HasUnknownFields(const google::protobuf::MessageLite& message) {
  return Metadata::HasUnknown(message);
}

void Dispatch::AddRaw(MessageType type,
                      std::uint32_t phases,
                      Descriptor descriptor,
                      RawHandler handler) {
  Row row{type, phases, descriptor, std::move(handler), std::nullopt};
  if (const FlowLimit limit = LimitsOf(type).flow; limit.burst > 0) {
    row.flow.emplace(limit.burst, limit.per_second);
  }
  rows_.push_back(std::move(row));
}

Status Dispatch::Deliver(Datagram datagram, Phase phase, BootTime now) {
  const auto row = std::ranges::find(rows_, datagram.type, &Row::type);
  if (row == rows_.end()) {
    return Error(ErrorCode::kProtocolViolation, "message that this channel does not have");
  }
  if ((row->phases & phase) == 0) {
    return Error(ErrorCode::kProtocolViolation, "message in the wrong phase");
  }
  if (row->flow && !row->flow->Take(now)) {
    return Error(ErrorCode::kProtocolViolation, "more messages of one type than a peer may send");
  }
  const bool attached = datagram.fd.valid();
  if ((row->descriptor == Descriptor::kNone && attached) ||
      (row->descriptor == Descriptor::kRequired && !attached)) {
    return Error(ErrorCode::kProtocolViolation, "descriptor missing or not allowed");
  }
  return row->handler(datagram.body, std::move(datagram.fd));
}

}  // namespace baokms::ipc
