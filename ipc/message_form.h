// Checks the form of every message: counts, enumerations, ranges and alphabets. The sender may be
// compromised, so anything that an honest sender cannot produce is a protocol violation. The
// receiver decides what a message means and whether it arrives at the right moment.
//
// Dispatch::Add() calls CheckForm() for every message it parses. A message type without an overload
// here does not compile, so no channel can omit the check.

#pragma once

#include <concepts>

#include <google/protobuf/repeated_field.h>

#include "common/base/result.h"
#include "proto/ipc.pb.h"

namespace baokms::ipc {

// Every function returns kProtocolViolation for a message that no honest peer sends.

// Requires this build's protocol version and a known role; the receiver checks which role it
// expects.
Status CheckForm(const Hello& hello);
Status CheckForm(const HelloAnswer& answer);

Status CheckForm(const ProcDescriptor& message);
Status CheckForm(const ConfinementReport& report);
Status CheckForm(const LogRecord& record);
Status CheckForm(const StartFailure& failure);
Status CheckForm(const ConnectAnswer& answer);
Status CheckForm(const Tunables& tunables);
Status CheckForm(const KeyTableAnswer& answer);
Status CheckForm(const MetadataAnswer& answer);
Status CheckForm(const TokenStatus& status);
Status CheckForm(const AgentStatus& status);
Status CheckForm(const PinAttemptBegin& begin);
Status CheckForm(const PinAttemptAnswer& answer);
Status CheckForm(const PinAttemptEnd& end);
Status CheckForm(const LoginRequest& request);
Status CheckForm(const LoginFailed& failed);
Status CheckForm(const Spawn& spawn);
Status CheckForm(const Spawned& spawned);
Status CheckForm(const Kill& kill);
Status CheckForm(const Exited& exited);
Status CheckForm(const PeerChannel& peer);

// ConnectRequest, ConnectReport and SyscallRefused may contain any number: the receiver looks it up
// and refuses unknown ones. Ping and Pong are empty. Values of the others that a KMS client may
// have caused are answered with an outcome instead (worker/).
template <typename Message>
concept FreeForm = std::same_as<Message, SyscallRefused> || std::same_as<Message, ConnectRequest> ||
    std::same_as<Message, ConnectReport> || std::same_as<Message, KeyTable> ||
    std::same_as<Message, CancelRequest> || std::same_as<Message, Ping> ||
    std::same_as<Message, Pong> || requires(const Message& request) {
  request.id();
  request.deadline_ns();
};

Status CheckForm(const FreeForm auto& /*message*/) {
  return {};
}

// Checks an answer of a worker that has only the members common to all answers.
Status CheckOutcomeAndCalls(Outcome outcome,
                            const google::protobuf::RepeatedPtrField<OpenBaoCall>& calls);

template <typename Answer>

requires requires(const Answer& answer) {
  answer.id();
  answer.outcome();
  answer.calls();
}

Status CheckForm(const Answer& answer) {
  return CheckOutcomeAndCalls(answer.outcome(), answer.calls());
}

}  // namespace baokms::ipc
