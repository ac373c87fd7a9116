#include "ipc/message_type.h"

#include <algorithm>
#include <array>
#include <cstddef>

#include "ipc/limits.h"

namespace baokms::ipc {
namespace {

struct TypeFacts {
  MessageType type;
  std::string_view name;
  std::size_t max_body;
  FlowLimit flow{};
};

// Messages without a rate limit of their own, and why that is safe: children trust the supervisor
// and the spawner with the volume of what they send; and answers to the supervisor are limited by
// its requests, because an unsolicited answer violates the protocol.
constexpr FlowLimit kAsAsked{};

constexpr FlowLimit kOnce{.burst = 1};
// One descriptor of each kind. The auth agent enters a second, narrower filter once its PKCS#11
// module is open.
constexpr FlowLimit kTwice{.burst = 2};
// Sent after each login or renewal, which back off, and by the agent after each check of the
// credential.
constexpr FlowLimit kStatuses{.burst = 400, .per_second = 20};
// The child itself enforces kConnectsPerSecond (common/openbao/broker_connector.h).
constexpr FlowLimit kConnects{.burst = 10 * kConnectsPerSecond, .per_second = kConnectsPerSecond};
// A connection that was reported as usable may be reported as unusable later.
constexpr FlowLimit kConnectReports{.burst = 2 * kConnects.burst,
                                    .per_second = 2 * kConnects.per_second};
// A PIN is tried at start and when its file changes.
constexpr FlowLimit kPinAttempts{.burst = 20, .per_second = 1};
// A worker asks again after a back-off of at least half a second.
constexpr FlowLimit kLogins{.burst = 60, .per_second = 4};

constexpr std::array kTypes = {
    TypeFacts{MessageType::kHello, "Hello", kMaxControlBody, kOnce},
    TypeFacts{MessageType::kHelloAnswer, "HelloAnswer", kMaxControlBody, kOnce},
    TypeFacts{MessageType::kProcDescriptor, "ProcDescriptor", kMaxControlBody, kTwice},
    TypeFacts{MessageType::kConfinementReport, "ConfinementReport", kMaxControlBody, kTwice},
    TypeFacts{MessageType::kLogRecord, "LogRecord", kMaxLogBody, kLogRecordFlow},
    TypeFacts{MessageType::kSyscallRefused, "SyscallRefused", kMaxControlBody, kOnce},
    TypeFacts{MessageType::kConnectRequest, "ConnectRequest", kMaxControlBody, kConnects},
    TypeFacts{MessageType::kConnectAnswer, "ConnectAnswer", kMaxControlBody, kAsAsked},
    TypeFacts{MessageType::kConnectReport, "ConnectReport", kMaxControlBody, kConnectReports},
    TypeFacts{MessageType::kTunables, "Tunables", kMaxControlBody, kAsAsked},
    TypeFacts{MessageType::kStartFailure, "StartFailure", kMaxControlBody, kOnce},
    TypeFacts{MessageType::kKeyTable, "KeyTable", kMaxKeyTableBody, kAsAsked},
    TypeFacts{MessageType::kKeyTableAnswer, "KeyTableAnswer", kMaxControlBody, kAsAsked},
    TypeFacts{MessageType::kEncryptRequest, "EncryptRequest", kMaxKmsBody, kAsAsked},
    TypeFacts{MessageType::kEncryptAnswer, "EncryptAnswer", kMaxKmsBody, kAsAsked},
    TypeFacts{MessageType::kDecryptRequest, "DecryptRequest", kMaxDecryptRequestBody, kAsAsked},
    TypeFacts{MessageType::kDecryptAnswer, "DecryptAnswer", kMaxKmsBody, kAsAsked},
    TypeFacts{MessageType::kCancelRequest, "CancelRequest", kMaxControlBody, kAsAsked},
    TypeFacts{MessageType::kMetadataRequest, "MetadataRequest", kMaxControlBody, kAsAsked},
    TypeFacts{MessageType::kMetadataAnswer, "MetadataAnswer", kMaxMetadataBody, kAsAsked},
    TypeFacts{MessageType::kProbeEncryptRequest, "ProbeEncryptRequest", kMaxKmsBody, kAsAsked},
    TypeFacts{MessageType::kProbeEncryptAnswer, "ProbeEncryptAnswer", kMaxKmsBody, kAsAsked},
    TypeFacts{MessageType::kProbeDecryptRequest, "ProbeDecryptRequest", kMaxKmsBody, kAsAsked},
    TypeFacts{MessageType::kProbeDecryptAnswer, "ProbeDecryptAnswer", kMaxKmsBody, kAsAsked},
    TypeFacts{MessageType::kTokenStatus, "TokenStatus", kMaxKmsBody, kStatuses},
    TypeFacts{MessageType::kAgentStatus, "AgentStatus", kMaxKmsBody, kStatuses},
    TypeFacts{MessageType::kPinAttemptBegin, "PinAttemptBegin", kMaxControlBody, kPinAttempts},
    TypeFacts{MessageType::kPinAttemptAnswer, "PinAttemptAnswer", kMaxControlBody, kAsAsked},
    TypeFacts{MessageType::kPinAttemptEnd, "PinAttemptEnd", kMaxControlBody, kPinAttempts},
    TypeFacts{MessageType::kLoginRequest, "LoginRequest", kMaxControlBody, kLogins},
    TypeFacts{MessageType::kToken, "Token", kMaxTokenBody, kAsAsked},
    TypeFacts{MessageType::kLoginFailed, "LoginFailed", kMaxControlBody, kAsAsked},
    TypeFacts{MessageType::kSpawn, "Spawn", kMaxControlBody, kAsAsked},
    TypeFacts{MessageType::kSpawned, "Spawned", kMaxControlBody, kAsAsked},
    TypeFacts{MessageType::kKill, "Kill", kMaxControlBody, kAsAsked},
    TypeFacts{MessageType::kExited, "Exited", kMaxControlBody, kAsAsked},
    TypeFacts{MessageType::kPeerChannel, "PeerChannel", kMaxControlBody, kAsAsked},
    TypeFacts{MessageType::kPing, "Ping", kMaxControlBody, kAsAsked},
    TypeFacts{MessageType::kPong, "Pong", kMaxControlBody, kAsAsked},
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

FlowLimit FlowLimitOf(MessageType type) {
  const TypeFacts* facts = Find(type);
  return facts == nullptr ? FlowLimit() : facts->flow;
}

}  // namespace baokms::ipc
