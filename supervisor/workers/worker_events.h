// What workers say besides answers and what every child says, and what becomes of their processes:
// the interface between the channels to the workers and the owner of their processes. Contents are
// checked for form only; whoever implements this decides what to believe.

#pragma once

#include <cstdint>

#include "common/base/result.h"
#include "proto/ipc.pb.h"
#include "supervisor/children/child_channel.h"
#include "supervisor/workers/worker_pool.h"

namespace baokms::supervisor {

// How a worker's process ended.
enum class ExitCause : std::uint8_t {
  kClean,              // exit code 0
  kKilled,             // SIGKILL: by an operator, the kernel or ourselves
  kCrashSignal,        // SIGSEGV, SIGABRT, SIGBUS or SIGSYS
  kRefusedSystemCall,  // the reserved exit code of the filter's handler
  kProtocolBreach,     // killed after OnBreach()
  kOther,
};

// One process that filled a slot. Numbers are never reused, so a message to a process that has
// ended cannot reach its successor.
struct Incarnation {
  Slot slot = 0;
  std::uint64_t number = 0;

  friend bool operator==(const Incarnation&, const Incarnation&) = default;
};

// Everything runs on the loop's thread, with no lock held.
class WorkerEvents : public ChildEvents {
 public:
  // The worker broke the protocol, refused or ignored its key table, or left its channel while its
  // process lives on: kill it. Comes once per incarnation at most.
  virtual void OnBreach(Slot slot, const Error& why) = 0;

  // The worker acknowledged its first key table and gets requests from now on.
  virtual void OnReady(Incarnation from) = 0;

  // Its `calls` come through OnCall() as well, before this.
  virtual void OnTokenStatus(Incarnation from, const ipc::TokenStatus& status) = 0;

 protected:
  WorkerEvents() = default;
  WorkerEvents(const WorkerEvents&) = default;
  WorkerEvents& operator=(const WorkerEvents&) = default;
};

}  // namespace baokms::supervisor
