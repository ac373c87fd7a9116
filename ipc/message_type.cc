#include "ipc/message_type.h"

#include "ipc/limits.h"

namespace baokms::ipc {
namespace {

constexpr std::string_view kUnknown = "unknown";

// Does not compile without a name for every type.
constexpr std::string_view NameOf(MessageType type) {
  switch (type) {
    case MessageType::kHello:
      return "Hello";
    case MessageType::kHelloAnswer:
      return "HelloAnswer";
    case MessageType::kProcDescriptor:
      return "ProcDescriptor";
    case MessageType::kConfinementReport:
      return "ConfinementReport";
    case MessageType::kLogRecord:
      return "LogRecord";
    case MessageType::kSyscallRefused:
      return "SyscallRefused";
    case MessageType::kConnectRequest:
      return "ConnectRequest";
    case MessageType::kConnectAnswer:
      return "ConnectAnswer";
    case MessageType::kConnectReport:
      return "ConnectReport";
    case MessageType::kTunables:
      return "Tunables";
    case MessageType::kStartFailure:
      return "StartFailure";
    case MessageType::kKeyTable:
      return "KeyTable";
    case MessageType::kKeyTableAnswer:
      return "KeyTableAnswer";
    case MessageType::kEncryptRequest:
      return "EncryptRequest";
    case MessageType::kEncryptAnswer:
      return "EncryptAnswer";
    case MessageType::kDecryptRequest:
      return "DecryptRequest";
    case MessageType::kDecryptAnswer:
      return "DecryptAnswer";
    case MessageType::kCancelRequest:
      return "CancelRequest";
    case MessageType::kMetadataRequest:
      return "MetadataRequest";
    case MessageType::kMetadataAnswer:
      return "MetadataAnswer";
    case MessageType::kProbeEncryptRequest:
      return "ProbeEncryptRequest";
    case MessageType::kProbeEncryptAnswer:
      return "ProbeEncryptAnswer";
    case MessageType::kProbeDecryptRequest:
      return "ProbeDecryptRequest";
    case MessageType::kProbeDecryptAnswer:
      return "ProbeDecryptAnswer";
    case MessageType::kTokenStatus:
      return "TokenStatus";
    case MessageType::kAgentStatus:
      return "AgentStatus";
    case MessageType::kPinAttemptBegin:
      return "PinAttemptBegin";
    case MessageType::kPinAttemptAnswer:
      return "PinAttemptAnswer";
    case MessageType::kPinAttemptEnd:
      return "PinAttemptEnd";
    case MessageType::kLoginRequest:
      return "LoginRequest";
    case MessageType::kToken:
      return "Token";
    case MessageType::kLoginFailed:
      return "LoginFailed";
    case MessageType::kSpawn:
      return "Spawn";
    case MessageType::kSpawned:
      return "Spawned";
    case MessageType::kKill:
      return "Kill";
    case MessageType::kExited:
      return "Exited";
    case MessageType::kPeerChannel:
      return "PeerChannel";
    case MessageType::kPing:
      return "Ping";
    case MessageType::kPong:
      return "Pong";
  }
  return kUnknown;
}

// A loop, because clang 14 does not compile the ranges of libstdc++.
constexpr bool EveryTypeHasLimits() {
  for (int number = 0; number < 1 << 8; ++number) {
    const auto type = static_cast<MessageType>(number);
    if ((NameOf(type) != kUnknown) != (LimitsOf(type).max_body > 0)) {
      return false;
    }
  }
  return true;
}

static_assert(EveryTypeHasLimits(), "both lists of types are the same");

}  // namespace

std::string_view ToString(MessageType type) {
  return NameOf(type);
}

}  // namespace baokms::ipc
