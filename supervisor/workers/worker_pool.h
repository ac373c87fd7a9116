// The supervisor's interface to its workers: submit a request, get its answer. The pool decides
// which worker handles the request and what happens when that worker dies; the caller decides what
// the answer means.

#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <utility>
#include <vector>

#include "common/base/clock.h"
#include "common/base/result.h"
#include "proto/ipc.pb.h"
#include "supervisor/workers/worker_requests.h"

namespace baokms::supervisor {

// Identifies one submitted request; never reused. 0 identifies none.
using RequestId = std::uint64_t;

// Which worker may handle a request.
struct WorkerChoice {
  // This one; the request fails (OUTCOME_UNAVAILABLE) when it is gone.
  std::optional<Slot> only{};
  // Any other one; with kSameWorker this one after all, over a fresh connection, when there is no
  // other one.
  std::optional<Slot> not_this{};
  enum class Fallback : std::uint8_t { kFail, kSameWorker } fallback = Fallback::kFail;
};

// What one worker is good for right now.
struct WorkerState {
  Slot slot = 0;
  bool ready = false;            // has acknowledged the current key table and may be given requests
  bool active_verified = false;  // its table's active entry matches metadata it read itself
  bool token_usable = false;
  std::optional<BootTime> token_expires;  // empty: no token, or it does not expire
  ipc::Outcome last_login = ipc::OUTCOME_UNSPECIFIED;
};

// Every function may be called from any thread. Callbacks run on the supervisor's loop thread,
// exactly once, unless cancelled; never from inside the call. The `id` fields of requests are
// filled in here; `deadline_ns` is the caller's and is kept.
class WorkerPool {
 public:
  virtual ~WorkerPool() = default;

  // Sends a request of the table to a worker that `choice` allows.
  template <typename Request>
  RequestId Submit(Request request, WorkerChoice choice, OnReply<AnswerTo<Request>> done) {
    return SubmitAny(std::move(request), choice, std::move(done));
  }

  // The callback does not run any more, unless it runs already. Harmless for a request that has
  // ended.
  virtual void Cancel(RequestId request) = 0;

  // Gives every worker this table, whose generation must be larger than the last one's. `done`
  // runs once all live workers have acknowledged it (workers that refuse it or do not answer in
  // time are restarted and get it before their first request). From the call on, new workers get
  // this table. Until the first one no worker is ready: with no registry yet, publish one without
  // entries, generation 1, so that metadata can be read.
  virtual void PublishKeyTable(ipc::KeyTable table, std::function<void()> done) = 0;

  [[nodiscard]] virtual std::vector<WorkerState> Workers() const = 0;

 protected:
  WorkerPool() = default;
  WorkerPool(const WorkerPool&) = default;
  WorkerPool& operator=(const WorkerPool&) = default;

  // The alternatives of `request` and `done` belong to the same row.
  virtual RequestId SubmitAny(AnyRequest request, WorkerChoice choice, AnyDone done) = 0;
};

}  // namespace baokms::supervisor
