// A well-formed body of every message that a child may send, as an attacker makes it who floods the
// supervisor: with as much in it as its form allows.

#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include "common/base/error.h"
#include "ipc/limits.h"
#include "ipc/message_type.h"
#include "proto/ipc.pb.h"

namespace baokms::supervisor {

template <typename Message>
void AddMostCalls(Message& message) {
  for (std::size_t i = 0; i < ipc::kMaxCalls; ++i) {
    ipc::OpenBaoCall& call = *message.add_calls();
    call.set_operation(ipc::OPERATION_TRANSIT_DECRYPT);
    call.set_outcome(ipc::OUTCOME_SEALED);
    call.set_request_id(std::string(ipc::kMaxRequestId, 'a'));
  }
}

// An answer to a request with this id.
template <typename Answer>
std::string FloodAnswer(std::uint64_t id) {
  Answer answer;
  answer.set_id(id);
  answer.set_outcome(ipc::OUTCOME_UNAVAILABLE);
  AddMostCalls(answer);
  return answer.SerializeAsString();
}

template <typename Status>
std::string FloodStatus() {
  Status status;
  status.set_last_outcome(ipc::OUTCOME_SEALED);
  status.set_status("error");
  AddMostCalls(status);
  return status.SerializeAsString();
}

inline std::string FloodRecord() {
  ipc::LogRecord record;
  record.set_level(ipc::LogRecord::LEVEL_ERROR);
  record.set_event("auth.login");
  ipc::LogField& field = *record.add_fields();
  field.set_key("reason");
  field.set_text(std::string(ipc::kMaxLogText, 'x'));
  return record.SerializeAsString();
}

inline std::string FloodStartFailure() {
  ipc::StartFailure failure;
  failure.set_code(static_cast<std::uint32_t>(ErrorCode::kSystem));
  failure.set_step(std::string(ipc::kMaxStep, 's'));
  return failure.SerializeAsString();
}

template <typename Message>
std::string FloodAboutChild() {
  Message message;
  message.set_role(ipc::ROLE_WORKER);
  message.set_slot(0);
  message.set_pid(200);
  return message.SerializeAsString();
}

// Does not compile without a body for every type. Types that no child sends to the supervisor are
// empty: it refuses the first one.
inline std::string FloodBody(ipc::MessageType type, ipc::Role sender) {
  using ipc::MessageType;
  switch (type) {
    case MessageType::kHello: {
      ipc::Hello hello;
      hello.set_protocol_version(ipc::kProtocolVersion);
      hello.set_role(sender);
      return hello.SerializeAsString();
    }
    case MessageType::kProcDescriptor:
      return std::string("\x08\x01", 2);  // kind: status
    case MessageType::kLogRecord:
      return FloodRecord();
    case MessageType::kStartFailure:
      return FloodStartFailure();
    case MessageType::kKeyTableAnswer:
      return std::string("\x08\x01\x10\x01", 4);  // generation 1, OUTCOME_OK
    case MessageType::kEncryptAnswer:
      return FloodAnswer<ipc::EncryptAnswer>(1);
    case MessageType::kDecryptAnswer:
      return FloodAnswer<ipc::DecryptAnswer>(1);
    case MessageType::kMetadataAnswer:
      return FloodAnswer<ipc::MetadataAnswer>(1);
    case MessageType::kProbeEncryptAnswer:
      return FloodAnswer<ipc::ProbeEncryptAnswer>(1);
    case MessageType::kProbeDecryptAnswer:
      return FloodAnswer<ipc::ProbeDecryptAnswer>(1);
    case MessageType::kTokenStatus:
      return FloodStatus<ipc::TokenStatus>();
    case MessageType::kAgentStatus:
      return FloodStatus<ipc::AgentStatus>();
    case MessageType::kPinAttemptEnd:
      return std::string("\x08\x01", 2);  // accepted
    case MessageType::kSpawned:
      return FloodAboutChild<ipc::Spawned>();
    case MessageType::kExited:
      return FloodAboutChild<ipc::Exited>();
    case MessageType::kConfinementReport:
    case MessageType::kSyscallRefused:
    case MessageType::kConnectRequest:
    case MessageType::kConnectReport:
    case MessageType::kPong:
    case MessageType::kPinAttemptBegin:
      return "";  // every member may have its default
    case MessageType::kHelloAnswer:
    case MessageType::kConnectAnswer:
    case MessageType::kTunables:
    case MessageType::kKeyTable:
    case MessageType::kEncryptRequest:
    case MessageType::kDecryptRequest:
    case MessageType::kCancelRequest:
    case MessageType::kMetadataRequest:
    case MessageType::kProbeEncryptRequest:
    case MessageType::kProbeDecryptRequest:
    case MessageType::kPinAttemptAnswer:
    case MessageType::kLoginRequest:
    case MessageType::kToken:
    case MessageType::kLoginFailed:
    case MessageType::kSpawn:
    case MessageType::kKill:
    case MessageType::kPeerChannel:
    case MessageType::kPing:
      break;
  }
  return "";
}

}  // namespace baokms::supervisor
