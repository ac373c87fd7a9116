// Reports from workers besides their answers, and reports from any child: the interface between the
// channels to the workers and the owner of their processes. Messages were checked for form only;
// the implementation decides what to trust.

#pragma once

#include "common/base/result.h"
#include "proto/ipc.pb.h"
#include "supervisor/children/child_channel.h"
#include "supervisor/workers/worker_pool.h"

namespace baokms::supervisor {

// Every function is called on the loop's thread, with no lock held.
class WorkerEvents : public ChildEvents {
 public:
  // The worker violated the protocol, refused or ignored its key table, or closed its channel while
  // its process is still running. The implementation must kill it. Called at most once per
  // incarnation.
  virtual void OnViolation(Slot slot, const Error& why) = 0;

  // The worker has requests and has not answered for so long that it must be killed. Called at most
  // once per incarnation.
  virtual void OnSilent(Slot slot) = 0;

  // The worker acknowledged its first key table and receives requests from now on.
  virtual void OnReady(const ChildProcess& from) = 0;

  // Its `calls` were reported through OnCall() before this.
  virtual void OnTokenStatus(const ChildProcess& from, const ipc::TokenStatus& status) = 0;

 protected:
  WorkerEvents() = default;
  WorkerEvents(const WorkerEvents&) = default;
  WorkerEvents& operator=(const WorkerEvents&) = default;
};

}  // namespace baokms::supervisor
