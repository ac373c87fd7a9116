// Feeds datagrams of any type to a dispatch table. Property: what it accepts fits the maximum of
// its type, has the size of its one encoding, and reads the same when it is written again; a
// child's log record that passes has plain words and printable text only; a token that is read is
// the token that was sent.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "common/base/error.h"
#include "common/base/result.h"
#include "common/base/unique_fd.h"
#include "ipc/channel.h"
#include "ipc/dispatch.h"
#include "ipc/message_type.h"
#include "ipc/token_message.h"
#include "proto/ipc.pb.h"
#include "supervisor/observe/child_records.h"
#include "tests/fuzz/quiet_protobuf.h"
#include "tests/fuzz/require.h"

namespace {

namespace ipc = baokms::ipc;
using baokms::Error;
using ipc::MessageType;

template <typename Message>
void CheckTwice(const Message& message) {
  const std::string written = message.SerializeAsString();
  Message again;
  baokms::Require(again.ParseFromString(written), "what was accepted can be written");
  baokms::Require(again.SerializeAsString() == written, "and reads the same");
}

// A table with the row of one type, because filling it takes longer than the message.
struct OneRow {
  ipc::Dispatch table;
  MessageType wanted;
};

template <typename Message>
void AddRow(OneRow& row, MessageType type) {
  if (type != row.wanted) {
    return;
  }
  row.table.Add<Message>(type, ipc::kPhaseServing, [](Message& message) -> baokms::Status {
    CheckTwice(message);
    return {};
  });
}

bool IsPrintable(std::string_view text) {
  return std::ranges::none_of(text, [](char c) { return static_cast<unsigned char>(c) < ' '; });
}

baokms::Status CheckLogRecord(ipc::LogRecord& message) {
  if (const auto record = baokms::supervisor::ReadChildRecord(message)) {
    baokms::Require(!record->event.empty() && record->event.size() <= 64, "a short event");
    baokms::Require(IsPrintable(record->event), "a plain event");
    for (const auto& [key, value] : record->fields) {
      const auto* text = std::get_if<std::string>(&value);
      baokms::Require(IsPrintable(key) && (text == nullptr || IsPrintable(*text)), "plain fields");
    }
  }
  return {};
}

baokms::Status CheckToken(std::span<std::uint8_t> body) {
  const std::vector<std::uint8_t> sent(body.begin(), body.end());
  const auto token = BAOKMS_TRY(ipc::DecodeToken(body));
  const auto again = ipc::EncodeToken(token);
  baokms::Require(again && std::ranges::equal(again->Reveal(), sent), "one encoding of a token");
  return {};
}

// One row for each type. The senders and receivers of both directions share these checks.
OneRow MakeTable(MessageType wanted) {
  OneRow row{ipc::Dispatch(), wanted};
  AddRow<ipc::Hello>(row, MessageType::kHello);
  AddRow<ipc::HelloAnswer>(row, MessageType::kHelloAnswer);
  AddRow<ipc::ProcDescriptor>(row, MessageType::kProcDescriptor);
  AddRow<ipc::ConfinementReport>(row, MessageType::kConfinementReport);
  AddRow<ipc::SyscallRefused>(row, MessageType::kSyscallRefused);
  AddRow<ipc::ConnectRequest>(row, MessageType::kConnectRequest);
  AddRow<ipc::ConnectAnswer>(row, MessageType::kConnectAnswer);
  AddRow<ipc::ConnectReport>(row, MessageType::kConnectReport);
  AddRow<ipc::Tunables>(row, MessageType::kTunables);
  AddRow<ipc::StartFailure>(row, MessageType::kStartFailure);
  AddRow<ipc::KeyTable>(row, MessageType::kKeyTable);
  AddRow<ipc::KeyTableAnswer>(row, MessageType::kKeyTableAnswer);
  AddRow<ipc::EncryptRequest>(row, MessageType::kEncryptRequest);
  AddRow<ipc::EncryptAnswer>(row, MessageType::kEncryptAnswer);
  AddRow<ipc::DecryptRequest>(row, MessageType::kDecryptRequest);
  AddRow<ipc::DecryptAnswer>(row, MessageType::kDecryptAnswer);
  AddRow<ipc::CancelRequest>(row, MessageType::kCancelRequest);
  AddRow<ipc::MetadataRequest>(row, MessageType::kMetadataRequest);
  AddRow<ipc::MetadataAnswer>(row, MessageType::kMetadataAnswer);
  AddRow<ipc::ProbeEncryptRequest>(row, MessageType::kProbeEncryptRequest);
  AddRow<ipc::ProbeEncryptAnswer>(row, MessageType::kProbeEncryptAnswer);
  AddRow<ipc::ProbeDecryptRequest>(row, MessageType::kProbeDecryptRequest);
  AddRow<ipc::ProbeDecryptAnswer>(row, MessageType::kProbeDecryptAnswer);
  AddRow<ipc::TokenStatus>(row, MessageType::kTokenStatus);
  AddRow<ipc::AgentStatus>(row, MessageType::kAgentStatus);
  AddRow<ipc::PinAttemptBegin>(row, MessageType::kPinAttemptBegin);
  AddRow<ipc::PinAttemptAnswer>(row, MessageType::kPinAttemptAnswer);
  AddRow<ipc::PinAttemptEnd>(row, MessageType::kPinAttemptEnd);
  AddRow<ipc::LoginRequest>(row, MessageType::kLoginRequest);
  AddRow<ipc::LoginFailed>(row, MessageType::kLoginFailed);
  AddRow<ipc::Spawn>(row, MessageType::kSpawn);
  AddRow<ipc::Spawned>(row, MessageType::kSpawned);
  AddRow<ipc::Kill>(row, MessageType::kKill);
  AddRow<ipc::Exited>(row, MessageType::kExited);
  AddRow<ipc::PeerChannel>(row, MessageType::kPeerChannel);
  AddRow<ipc::Ping>(row, MessageType::kPing);
  AddRow<ipc::Pong>(row, MessageType::kPong);
  if (wanted == MessageType::kLogRecord) {
    row.table.Add<ipc::LogRecord>(wanted, ipc::kPhaseServing, CheckLogRecord);
  }
  if (wanted == MessageType::kToken) {
    row.table.AddRaw(
        wanted, ipc::kPhaseServing, ipc::Descriptor::kNone,
        [](std::span<std::uint8_t> body, baokms::UniqueFd) { return CheckToken(body); });
  }
  return row;
}

baokms::Status Deliver(std::uint8_t type, std::span<const std::uint8_t> bytes) {
  OneRow row = MakeTable(static_cast<MessageType>(type));  // fresh: it counts what it receives
  std::vector<std::uint8_t> body(bytes.begin(), bytes.end());
  ipc::Datagram datagram{row.wanted, body, baokms::UniqueFd(), std::nullopt};
  return row.table.Deliver(std::move(datagram), ipc::kPhaseServing);
}

// A type that is added later needs a row above.
bool EveryTypeHasARow() {
  const Error no_row = Deliver(0, {}).error();
  for (std::uint8_t type = 0; type < UINT8_MAX; ++type) {
    const baokms::Status delivered = Deliver(type, {});
    const bool has_row = delivered || delivered.error().what() != no_row.what();
    if (has_row != (ipc::ToString(static_cast<MessageType>(type)) != "unknown")) {
      return false;
    }
  }
  return true;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const bool complete = EveryTypeHasARow();
  baokms::Require(complete, "every type of message has a row");
  if (size > 0) {
    (void)Deliver(data[0], {data + 1, size - 1}).has_value();
  }
  return 0;
}
