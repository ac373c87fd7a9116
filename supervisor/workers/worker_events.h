// Reports from workers besides their answers, reports from any child, and exits of their processes:
// the interface between the channels to the workers and the owner of their processes. Messages were
// checked for form only; the implementation decides what to trust.

#pragma once

#include <cstdint>

#include "common/base/result.h"
#include "proto/ipc.pb.h"
#include "supervisor/children/child_channel.h"
#include "supervisor/workers/worker_pool.h"

namespace baokms::supervisor {

// How a worker's process exited.
enum class ExitCause : std::uint8_t {
  kClean,              // exit code 0
  kKilled,             // SIGKILL: by an operator, the kernel or the supervisor
  kCrashSignal,        // SIGSEGV, SIGABRT, SIGBUS or SIGSYS
  kRefusedSystemCall,  // the exit code reserved for the seccomp filter's handler
  kProtocolViolation,  // killed after OnViolation()
  kOther,
};

// One process in a slot. Numbers are never reused, so a message to a process that has exited cannot
// reach its successor.
struct Incarnation {
  Slot slot = 0;
  std::uint64_t number = 0;

  friend bool operator==(const Incarnation&, const Incarnation&) = default;
};

// Every function is called on the loop's thread, with no lock held.
class WorkerEvents : public ChildEvents {
 public:
  // The worker violated the protocol, refused or ignored its key table, or closed its channel while
  // its process is still running. The implementation must kill it. Called at most once per
  // incarnation.
  virtual void OnViolation(Slot slot, const Error& why) = 0;

  // The worker acknowledged its first key table and receives requests from now on.
  virtual void OnReady(Incarnation from) = 0;

  // Its `calls` were reported through OnCall() before this.
  virtual void OnTokenStatus(Incarnation from, const ipc::TokenStatus& status) = 0;

 protected:
  WorkerEvents() = default;
  WorkerEvents(const WorkerEvents&) = default;
  WorkerEvents& operator=(const WorkerEvents&) = default;
};

}  // namespace baokms::supervisor
