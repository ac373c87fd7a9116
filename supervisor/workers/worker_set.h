// The worker pool over real worker processes: a request goes to the least busy worker, and to
// another one if that worker exits. The caller interprets requests and answers.

#pragma once

#include <atomic>
#include <cstddef>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <utility>
#include <vector>

#include "common/base/clock.h"
#include "common/base/event_loop.h"
#include "common/base/result.h"
#include "common/base/unique_fd.h"
#include "proto/ipc.pb.h"
#include "supervisor/children/child_channel.h"
#include "supervisor/workers/pending_request.h"
#include "supervisor/workers/request_scheduler.h"
#include "supervisor/workers/worker_events.h"
#include "supervisor/workers/worker_pool.h"
#include "supervisor/workers/worker_sessions.h"

namespace baokms::supervisor {

// The functions of WorkerPool may be called from any thread, all others on the loop's thread only.
// Must be created before and destroyed after the threads that call it.
class WorkerSet final : public WorkerPool, private WorkerSessions::Listener {
 public:
  // `loop` and `events` must outlive the set. `workers` is the number of slots, at least 1.
  WorkerSet(EventLoop& loop,
            WorkerEvents& events,
            std::size_t workers,
            SessionTimeouts limits = {});
  WorkerSet(const WorkerSet&) = delete;
  WorkerSet& operator=(const WorkerSet&) = delete;
  ~WorkerSet() override;

  // Attaches a new process to `slot`; `channel` is the supervisor's end of its pair.
  // kInvalidArgument: there is no such slot.
  Status Attach(Slot slot, UniqueFd channel) { return sessions_.Attach(slot, std::move(channel)); }

  // Reports that the process of `slot` has exited; does nothing if there was none. The requests
  // that it had move to others once its last messages were read.
  void Detached(Slot slot, WorkerEnd end) { sessions_.Detached(slot, end); }

  // Returns the channel of exactly this process; null once that is over.
  [[nodiscard]] std::shared_ptr<ChildChannel> ChannelOf(const ChildProcess& who) {
    return sessions_.ChannelOf(who);
  }

  void Cancel(RequestId request) override;
  void Replace(const WorkerProcess& worker) override;
  void PublishKeyTable(ipc::KeyTable table, std::function<void()> done) override;
  [[nodiscard]] std::vector<WorkerState> Workers() const override;

 private:
  struct Failed {
    PendingRequestPtr pending;
    ipc::Outcome outcome{};
    WorkerProcess worker;  // the one that has it, if any
  };

  // The work that one event causes, with the channels it needs: collected under the lock, carried
  // out without it.
  struct Work {
    RequestScheduler::Steps steps;  // without `ended`
    std::vector<Failed> failed;
    std::vector<std::shared_ptr<ChildChannel>> channels;  // by slot; only those that are needed
    std::optional<BootTime> arm;                          // when the timer must fire
  };

  enum class CallbackFrom : std::uint8_t { kHere, kLoop };

  void OnWorkerReady(const ChildProcess& who, std::shared_ptr<ChildChannel> channel) override;
  void OnTableAcknowledged(const ChildProcess& who, const ipc::KeyTableAnswer& answer) override;
  Status OnWorkerAnswer(const ChildProcess& who, AnyAnswer answer) override;
  void OnWorkerPong(const ChildProcess& who) override;
  void OnWorkerToken(const ChildProcess& who, const ipc::TokenStatus& status) override;
  void OnWorkerLeaving(const ChildProcess& who) override;
  void OnWorkerGone(const ChildProcess& who, WorkerEnd end) override;

  RequestId SubmitAny(AnyRequest request, WorkerChoice choice, AnyDone done) override;

  // Runs `event`, which returns steps of the scheduler, under the lock, and carries out the steps.
  template <typename Event>
  void Handle(CallbackFrom from, const Event& event);
  Work Locked(RequestScheduler::Steps steps);
  void LeaveLocked(Slot slot);
  void Do(Work work, CallbackFrom from);
  void SendOne(const RequestScheduler::Send& send, ChildChannel& channel);
  void OnTimer();
  void ArmTimer(BootTime when);

  // Runs `task` on the loop's thread unless this object has been destroyed by then.
  void Post(std::function<void()> task);

  EventLoop& loop_;
  WorkerEvents& events_;
  // Tasks that were posted to the loop keep it alive beyond the set.
  std::shared_ptr<WorkerSet*> self_ = std::make_shared<WorkerSet*>(this);
  std::atomic<RequestId> last_id_{0};
  mutable std::mutex mutex_;
  RequestScheduler scheduler_;                           // guarded by mutex_
  std::vector<std::shared_ptr<ChildChannel>> channels_;  // guarded by mutex_; null: not ready
  std::vector<WorkerState> states_;                      // guarded by mutex_
  std::optional<BootTime> armed_for_;                    // guarded by mutex_
  EventLoop::TimerId timer_ = 0;                         // the loop's thread only
  WorkerSessions sessions_;                              // the loop's thread only
};

}  // namespace baokms::supervisor
