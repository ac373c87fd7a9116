// The number of every message type. Requests and events are even; the answer to a request has the
// request's number plus one. Numbers are never reused.

#pragma once

#include <cstdint>
#include <string_view>

namespace baokms::ipc {

// Raised whenever a message changes its meaning. Both sides of every channel come from one build,
// so a difference means a mixed installation and ends the process.
inline constexpr std::uint32_t kProtocolVersion = 4;

enum class MessageType : std::uint16_t {
  kHello = 2,
  kHelloAnswer = 3,
  kProcDescriptor = 4,
  kConfinementReport = 6,
  kLogRecord = 8,
  kSyscallRefused = 10,
  kConnectRequest = 12,
  kConnectAnswer = 13,
  kConnectReport = 14,
  kTunables = 16,
  kStartFailure = 18,

  kKeyTable = 20,
  kKeyTableAnswer = 21,
  kEncryptRequest = 22,
  kEncryptAnswer = 23,
  kDecryptRequest = 24,
  kDecryptAnswer = 25,
  kCancelRequest = 26,
  kMetadataRequest = 28,
  kMetadataAnswer = 29,
  kProbeEncryptRequest = 30,
  kProbeEncryptAnswer = 31,
  kProbeDecryptRequest = 32,
  kProbeDecryptAnswer = 33,
  kTokenStatus = 34,

  kAgentStatus = 40,
  kPinAttemptBegin = 42,
  kPinAttemptAnswer = 43,
  kPinAttemptEnd = 44,

  kLoginRequest = 50,
  kToken = 51,
  kLoginFailed = 53,  // the alternative answer to kLoginRequest

  kSpawn = 60,
  kSpawned = 61,
  kKill = 62,
  kExited = 64,

  kPeerChannel = 66,

  kPing = 70,
  kPong = 71,
};

// Returns the type of the answer to a request of this type.
[[nodiscard]] constexpr MessageType AnswerTypeOf(MessageType request) {
  return static_cast<MessageType>(static_cast<std::uint16_t>(request) + 1);
}

[[nodiscard]] constexpr bool IsAnswer(MessageType type) {
  return static_cast<std::uint16_t>(type) % 2 == 1;
}

// Returns the name of a type, such as "EncryptRequest", or "unknown".
[[nodiscard]] std::string_view ToString(MessageType type);

}  // namespace baokms::ipc
