// The supervisor's interface to its workers: submit a request, get its answer. The pool decides
// which worker handles the request and what happens when that worker exits; the caller interprets
// the answer.

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

// How often workers may be replaced for a reason that may lie outside of them, such as replicas of
// OpenBao that disagree: once a minute. All of them must not be replaced all the time.
inline constexpr double kReplacementsPerSecond = 1.0 / 60;

// Identifies one submitted request; never reused. 0 identifies none.
using RequestId = std::uint64_t;

// Restricts which worker may handle a request.
struct WorkerChoice {
  // Only this worker; without it the request fails with OUTCOME_UNAVAILABLE.
  std::optional<Slot> only{};
  // Any worker except this one. With kSameWorker this one after all, over a fresh connection, if no
  // other one runs and none was killed or is stopped; with kSameIfOthersHang also if the others owe
  // answers.
  std::optional<Slot> not_this{};
  enum class Fallback : std::uint8_t {
    kFail,
    kSameWorker,
    kSameIfOthersHang,
  } fallback = Fallback::kFail;
};

// What one worker can be used for at this moment.
struct WorkerState {
  Slot slot = 0;
  std::uint64_t process = 0;     // WorkerProcess::number; 0: not ready
  bool ready = false;            // acknowledged the current key table and accepts requests
  bool active_verified = false;  // its table's active entry matches metadata it read itself
  bool token_usable = false;
  std::optional<BootTime> token_expires;  // empty: no token, or it does not expire
  // It is stopped or leaving now, or the slot's process was killed by a signal within the last
  // minute.
  bool lost = false;
  ipc::Outcome last_login = ipc::OUTCOME_UNSPECIFIED;
};

// Every function may be called from any thread. Callbacks run on the supervisor's loop thread,
// exactly once unless cancelled, and never inside the call. The pool fills in the `id` fields of
// requests; `deadline_ns` is set by the caller and kept.
class WorkerPool {
 public:
  virtual ~WorkerPool() = default;

  // Sends a request to a worker that `choice` allows.
  template <typename Request>
  RequestId Submit(Request request, WorkerChoice choice, OnReply<AnswerTo<Request>> done) {
    return SubmitAny(std::move(request), choice, std::move(done));
  }

  // Prevents the callback from running, unless it is already running. Does nothing for a request
  // that has ended.
  virtual void Cancel(RequestId request) = 0;

  // Kills this process, because another worker contradicts it, and starts a new one. It receives
  // nothing from now on, and the requests that it has move to others. Does nothing if it has ended.
  virtual void Replace(const WorkerProcess& worker) = 0;

  // Publishes this table, whose generation must be larger than that of the previous one, to every
  // worker. `done` runs once all live workers have acknowledged it; workers that refuse it or do
  // not answer in time are restarted and receive it before their first request. New workers receive
  // this table from the call on. No worker is ready before the first table: without a registry,
  // publish a table without entries, generation 1, so that metadata can be read.
  virtual void PublishKeyTable(ipc::KeyTable table, std::function<void()> done) = 0;

  [[nodiscard]] virtual std::vector<WorkerState> Workers() const = 0;

 protected:
  WorkerPool() = default;
  WorkerPool(const WorkerPool&) = default;
  WorkerPool& operator=(const WorkerPool&) = default;

  // The alternatives of `request` and `done` must belong to the same row.
  virtual RequestId SubmitAny(AnyRequest request, WorkerChoice choice, AnyDone done) = 0;
};

}  // namespace baokms::supervisor
