// One request on its way to a worker and back. It knows neither channels nor locks.

#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>

#include <google/protobuf/message_lite.h>

#include "common/base/clock.h"
#include "common/contract/encoding.h"
#include "ipc/message_type.h"
#include "proto/ipc.pb.h"
#include "supervisor/workers/worker_pool.h"
#include "supervisor/workers/worker_requests.h"

namespace baokms::supervisor {

// Whether a worker's exit makes the requests that it had suspects. They are if it crashed (SIGSEGV,
// SIGABRT, SIGBUS or SIGSYS) or if its filter refused a system call; not if it was killed.
enum class Suspicion : std::uint8_t { kNone, kRequests };

using SharedMessage = std::shared_ptr<const google::protobuf::MessageLite>;

struct PendingRequest {
  // Set once, when the request is created.
  RequestId id = 0;
  ipc::MessageType type{};
  WorkerChoice choice;
  BootTime deadline{};
  AnyDone done;

  SharedMessage request;  // never changed, only replaced
  BootTime submitted{};
  BootTime sent{};           // when it was sent to the worker that has it now
  std::optional<Slot> slot;  // the worker that has it now
  std::uint32_t replays = 0;

  // Whether the request is suspected of crashing workers.
  enum class Trust : std::uint8_t {
    kNormal,
    kSuspect,  // was on a worker that crashed; waits for an otherwise idle worker
    kOnTrial,  // is the only request on a worker
  } trust = Trust::kNormal;
};

using PendingRequestPtr = std::shared_ptr<PendingRequest>;

// Takes ownership of a request and fills in its id. A plaintext is wiped when the last owner
// of the message is gone.
PendingRequestPtr MakePending(RequestId id, AnyRequest request, WorkerChoice choice, AnyDone done);

// Returns a hash of what a request asks for: type and payload, without id, deadline and
// bookkeeping.
contract::Sha256Digest Fingerprint(const PendingRequest& pending);

// Makes the request use a connection of its own, if its type supports that.
void UseFreshConnection(PendingRequest& pending);

// Runs the callback with `answer`, which must have the index of `done`.
void Complete(const PendingRequest& pending, AnyAnswer answer, Slot slot, BootTime now);

// Runs the callback with an empty answer that has this outcome.
void Fail(const PendingRequest& pending, ipc::Outcome outcome, BootTime now);

}  // namespace baokms::supervisor
