// Feeds datagrams of any type to a dispatch table that has a row for each. Property: what it
// accepts fits the maximum of its type, has the size of its one encoding, and reads the same when
// it is written again; a child's log record that passes has plain words and printable text only; a
// token that is read is the token that was sent.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "common/base/result.h"
#include "common/base/unique_fd.h"
#include "ipc/channel.h"
#include "ipc/dispatch.h"
#include "ipc/message_type.h"
#include "ipc/token_message.h"
#include "proto/ipc.pb.h"
#include "supervisor/observe/child_records.h"
#include "tests/fuzz/require.h"

namespace {

namespace ipc = baokms::ipc;
using ipc::MessageType;

template <typename Message>
void CheckTwice(const Message& message) {
  const std::string written = message.SerializeAsString();
  Message again;
  baokms::Require(again.ParseFromString(written), "what was accepted can be written");
  baokms::Require(again.SerializeAsString() == written, "and reads the same");
}

template <typename Message>
void AddRow(ipc::Dispatch& table, MessageType type) {
  table.Add<Message>(type, ipc::kPhaseServing, [](Message& message) -> baokms::Status {
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

ipc::Dispatch MakeTable() {
  ipc::Dispatch table;
  AddRow<ipc::Hello>(table, MessageType::kHello);
  AddRow<ipc::HelloAnswer>(table, MessageType::kHelloAnswer);
  AddRow<ipc::ConfinementReport>(table, MessageType::kConfinementReport);
  AddRow<ipc::StartFailure>(table, MessageType::kStartFailure);
  AddRow<ipc::ConnectRequest>(table, MessageType::kConnectRequest);
  AddRow<ipc::ConnectAnswer>(table, MessageType::kConnectAnswer);
  AddRow<ipc::Tunables>(table, MessageType::kTunables);
  AddRow<ipc::KeyTable>(table, MessageType::kKeyTable);
  AddRow<ipc::EncryptRequest>(table, MessageType::kEncryptRequest);
  AddRow<ipc::EncryptAnswer>(table, MessageType::kEncryptAnswer);
  AddRow<ipc::DecryptRequest>(table, MessageType::kDecryptRequest);
  AddRow<ipc::DecryptAnswer>(table, MessageType::kDecryptAnswer);
  AddRow<ipc::MetadataAnswer>(table, MessageType::kMetadataAnswer);
  AddRow<ipc::TokenStatus>(table, MessageType::kTokenStatus);
  AddRow<ipc::AgentStatus>(table, MessageType::kAgentStatus);
  AddRow<ipc::LoginRequest>(table, MessageType::kLoginRequest);
  AddRow<ipc::LoginFailed>(table, MessageType::kLoginFailed);
  AddRow<ipc::Spawn>(table, MessageType::kSpawn);
  AddRow<ipc::PeerChannel>(table, MessageType::kPeerChannel);
  AddRow<ipc::Exited>(table, MessageType::kExited);
  table.Add<ipc::LogRecord>(MessageType::kLogRecord, ipc::kPhaseServing, CheckLogRecord);
  table.AddRaw(MessageType::kToken, ipc::kPhaseServing, ipc::Descriptor::kNone,
               [](std::span<std::uint8_t> body, baokms::UniqueFd) { return CheckToken(body); });
  return table;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  ipc::Dispatch table = MakeTable();  // fresh, because it counts what it has received
  if (size < 1) {
    return 0;
  }
  std::vector<std::uint8_t> body(data + 1, data + size);
  ipc::Datagram datagram{static_cast<MessageType>(data[0]), body, baokms::UniqueFd()};
  (void)table.Deliver(std::move(datagram), ipc::kPhaseServing).has_value();
  return 0;
}
