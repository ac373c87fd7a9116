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

// How a worker ended, as far as it matters to its requests and to those that follow.
enum class WorkerEnd : std::uint8_t {
  kExited,   // by itself, with an exit code: its successors may fail as well
  kKilled,   // by a signal that says nothing about its requests; somebody may have sent it
  kCrashed,  // by SIGSEGV, SIGABRT, SIGBUS or SIGSYS, or by its filter: its requests are suspects
};

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
  BootTime sent{};            // when it was sent to the worker that has it now
  std::optional<Slot> slot;   // the worker that has it now
  std::optional<Slot> hedge;  // the second worker that has it now, only if there is a first
  std::uint32_t replays = 0;
  bool hedged = false;        // it was sent to a second worker, whichever answered
  bool tried_twice = false;   // one worker failed, so that another one has it
  std::uint32_t crashes = 0;  // workers that crashed while it was on trial
  // How many workers had become ready when it was last on one that crashed, on trial or not.
  std::uint64_t started_before_crash = 0;

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

// Takes the request away from this worker. Returns whether another one has it as well and goes on.
bool GoesOnElsewhere(PendingRequest& pending, Slot slot);

// Returns a hash of what a request asks for: type and payload, without id, deadline and
// bookkeeping.
contract::Sha256Digest Fingerprint(const PendingRequest& pending);

// Makes the request use a connection of its own, if its type supports that.
void UseFreshConnection(PendingRequest& pending);

// Runs the callback with `answer`, which must have the index of `done`.
void Complete(const PendingRequest& pending,
              AnyAnswer answer,
              const WorkerProcess& worker,
              BootTime now);

// Runs the callback with an empty answer that has this outcome. `worker`: the one that has the
// request, if any.
void Fail(const PendingRequest& pending,
          ipc::Outcome outcome,
          const WorkerProcess& worker,
          BootTime now);

}  // namespace baokms::supervisor
