// One operation on its way to a worker and back. It knows neither channels nor locks.

#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <variant>

#include <google/protobuf/message_lite.h>

#include "common/base/clock.h"
#include "common/contract/encoding.h"
#include "ipc/message_type.h"
#include "proto/ipc.pb.h"
#include "supervisor/workers/worker_pool.h"

namespace baokms::supervisor {

// The same order in both: an answer fits a callback when the indices are equal.
using AnyAnswer = std::variant<ipc::EncryptAnswer,
                               ipc::DecryptAnswer,
                               ipc::MetadataAnswer,
                               ipc::ProbeEncryptAnswer,
                               ipc::ProbeDecryptAnswer>;
using AnyDone = std::variant<OnReply<ipc::EncryptAnswer>,
                             OnReply<ipc::DecryptAnswer>,
                             OnReply<ipc::MetadataAnswer>,
                             OnReply<ipc::ProbeEncryptAnswer>,
                             OnReply<ipc::ProbeDecryptAnswer>>;

using SharedMessage = std::shared_ptr<const google::protobuf::MessageLite>;

// Takes a request over. Its plaintext, if it has one, is wiped when the last owner is gone.
SharedMessage HoldRequest(ipc::EncryptRequest request);
SharedMessage HoldRequest(ipc::DecryptRequest request);
SharedMessage HoldRequest(ipc::MetadataRequest request);
SharedMessage HoldRequest(ipc::ProbeEncryptRequest request);
SharedMessage HoldRequest(ipc::ProbeDecryptRequest request);

struct Operation {
  // Fixed from the start.
  OperationId id = 0;
  ipc::MessageType type{};
  WorkerChoice choice;
  BootTime deadline{};
  AnyDone done;

  SharedMessage request;  // never changed, only replaced
  BootTime submitted{};
  BootTime sent{};           // to the worker that has it now
  std::optional<Slot> slot;  // the worker that has it now
  std::uint32_t replays = 0;

  // How far it is under suspicion of killing workers.
  enum class Trust : std::uint8_t {
    kNormal,
    kSuspect,  // was with a worker that crashed; waits for a worker of its own
    kOnTrial,  // alone on a worker
  } trust = Trust::kNormal;
};

using OperationPtr = std::shared_ptr<Operation>;

// Identifies what a request asks for: type and payload, without id, deadline and bookkeeping.
contract::Sha256Digest Fingerprint(const Operation& operation);

// The same request, to be done over a connection of its own. Only for a DecryptRequest.
SharedMessage OverFreshConnection(const google::protobuf::MessageLite& decrypt_request);

// Calls back with an answer of the operation's kind; `answer` must have the index of `done`.
void Complete(const Operation& operation, AnyAnswer answer, Slot slot, BootTime now);

// Calls back with an empty answer of this outcome.
void Fail(const Operation& operation, ipc::Outcome outcome, BootTime now);

}  // namespace baokms::supervisor
