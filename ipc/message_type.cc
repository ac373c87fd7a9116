#include "ipc/message_type.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <string_view>

#include "ipc/limits.h"

namespace baokms::ipc {
namespace {

struct TypeFacts {
  MessageType type;
  std::string_view name;
  std::size_t max_body;
};

constexpr std::array kTypes = {
    TypeFacts{MessageType::kHello, "Hello", kMaxControlBody},
    TypeFacts{MessageType::kHelloAnswer, "HelloAnswer", kMaxControlBody},
    TypeFacts{MessageType::kProcDescriptor, "ProcDescriptor", kMaxControlBody},
    TypeFacts{MessageType::kConfinementReport, "ConfinementReport", kMaxControlBody},
    TypeFacts{MessageType::kLogRecord, "LogRecord", kMaxLogBody},
    TypeFacts{MessageType::kSyscallRefused, "SyscallRefused", kMaxControlBody},
    TypeFacts{MessageType::kConnectRequest, "ConnectRequest", kMaxControlBody},
    TypeFacts{MessageType::kConnectAnswer, "ConnectAnswer", kMaxControlBody},
    TypeFacts{MessageType::kConnectVerdict, "ConnectVerdict", kMaxControlBody},
    TypeFacts{MessageType::kTunables, "Tunables", kMaxControlBody},
    TypeFacts{MessageType::kKeyTable, "KeyTable", kMaxKeyTableBody},
    TypeFacts{MessageType::kKeyTableAnswer, "KeyTableAnswer", kMaxControlBody},
    TypeFacts{MessageType::kEncryptRequest, "EncryptRequest", kMaxKmsBody},
    TypeFacts{MessageType::kEncryptAnswer, "EncryptAnswer", kMaxKmsBody},
    TypeFacts{MessageType::kDecryptRequest, "DecryptRequest", kMaxDecryptRequestBody},
    TypeFacts{MessageType::kDecryptAnswer, "DecryptAnswer", kMaxKmsBody},
    TypeFacts{MessageType::kCancelRequest, "CancelRequest", kMaxControlBody},
    TypeFacts{MessageType::kMetadataRequest, "MetadataRequest", kMaxControlBody},
    TypeFacts{MessageType::kMetadataAnswer, "MetadataAnswer", kMaxMetadataBody},
    TypeFacts{MessageType::kProbeEncryptRequest, "ProbeEncryptRequest", kMaxKmsBody},
    TypeFacts{MessageType::kProbeEncryptAnswer, "ProbeEncryptAnswer", kMaxKmsBody},
    TypeFacts{MessageType::kProbeDecryptRequest, "ProbeDecryptRequest", kMaxKmsBody},
    TypeFacts{MessageType::kProbeDecryptAnswer, "ProbeDecryptAnswer", kMaxKmsBody},
    TypeFacts{MessageType::kTokenStatus, "TokenStatus", kMaxKmsBody},
    TypeFacts{MessageType::kAgentStatus, "AgentStatus", kMaxKmsBody},
    TypeFacts{MessageType::kPinAttemptBegin, "PinAttemptBegin", kMaxControlBody},
    TypeFacts{MessageType::kPinAttemptAnswer, "PinAttemptAnswer", kMaxControlBody},
    TypeFacts{MessageType::kPinAttemptEnd, "PinAttemptEnd", kMaxControlBody},
    TypeFacts{MessageType::kLoginRequest, "LoginRequest", kMaxControlBody},
    TypeFacts{MessageType::kToken, "Token", kMaxTokenBody},
    TypeFacts{MessageType::kLoginFailed, "LoginFailed", kMaxControlBody},
    TypeFacts{MessageType::kSpawn, "Spawn", kMaxControlBody},
    TypeFacts{MessageType::kSpawned, "Spawned", kMaxControlBody},
    TypeFacts{MessageType::kKill, "Kill", kMaxControlBody},
    TypeFacts{MessageType::kExited, "Exited", kMaxControlBody},
};

static_assert(std::ranges::all_of(kTypes, [](const TypeFacts& facts) {
  return facts.max_body + kHeaderSize <= kMaxDatagram;
}));

const TypeFacts* Find(MessageType type) {
  const auto* found = std::ranges::find(kTypes, type, &TypeFacts::type);
  return found == kTypes.end() ? nullptr : found;
}

}  // namespace

std::string_view ToString(MessageType type) {
  const TypeFacts* facts = Find(type);
  return facts == nullptr ? "unknown" : facts->name;
}

std::size_t MaxBodySize(MessageType type) {
  const TypeFacts* facts = Find(type);
  return facts == nullptr ? 0 : facts->max_body;
}

}  // namespace baokms::ipc
