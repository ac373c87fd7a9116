// The form of every message: counts, enumerations, ranges and alphabets. The sender may have been
// taken over, so anything that an honest one could not have sent is a breach of the protocol. What
// a message means, and whether it comes at the right moment, is decided by whoever receives it.
//
// Dispatch::Add() calls CheckForm() for every message it parses: a message type without an overload
// here does not compile, so that no channel can forget the check.

#pragma once

#include <google/protobuf/repeated_field.h>

#include "common/base/result.h"
#include "proto/ipc.pb.h"

namespace baokms::ipc {

// Every function: kProtocolViolation when the message is one that no honest peer sends.

// Of this build's protocol version and a known role; which role the receiver knows.
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

// Any number may stand in these: the receiver looks it up and refuses one that it does not know.
inline Status CheckForm(const SyscallRefused& /*refused*/) {
  return {};
}

inline Status CheckForm(const ConnectRequest& /*request*/) {
  return {};
}

inline Status CheckForm(const ConnectVerdict& /*verdict*/) {
  return {};
}

// What a client of the KMS may have caused is answered with an outcome instead (worker/).
inline Status CheckForm(const KeyTable& /*table*/) {
  return {};
}

inline Status CheckForm(const CancelRequest& /*request*/) {
  return {};
}

// An answer of a worker that has nothing more to check than what all of them have.
Status CheckOutcomeAndCalls(Outcome outcome, const google::protobuf::RepeatedPtrField<Call>& calls);

template <typename Answer>

requires requires(const Answer& answer) {
  answer.id();
  answer.outcome();
  answer.calls();
}

Status CheckForm(const Answer& answer) {
  return CheckOutcomeAndCalls(answer.outcome(), answer.calls());
}

// A request to a worker: see KeyTable.
template <typename Request>

requires requires(const Request& request) {
  request.id();
  request.deadline_ns();
}

Status CheckForm(const Request& /*request*/) {
  return {};
}

}  // namespace baokms::ipc
