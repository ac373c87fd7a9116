// Decides which worker handles which request, and what happens to the requests of a worker that
// exits or is stopped. Pure bookkeeping: it sends nothing, runs no callback and takes no lock; each
// event returns the steps that its caller must carry out.

#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <set>
#include <unordered_map>
#include <utility>
#include <vector>

#include "common/base/clock.h"
#include "common/base/result.h"
#include "ipc/limits.h"
#include "ipc/message_type.h"
#include "proto/ipc.pb.h"
#include "supervisor/children/silence_watch.h"
#include "supervisor/workers/hedge_policy.h"
#include "supervisor/workers/pending_request.h"
#include "supervisor/workers/refused_requests.h"
#include "supervisor/workers/worker_pool.h"

namespace baokms::supervisor {

// Decides which worker handles which request, and what happens to the requests of a worker that
// exits or is stopped.
class RequestScheduler final {
 public:
  // Maximum number of requests in total. A worker accepts as many.
  static constexpr std::size_t kMaxRequests = ipc::kMaxRequests;

  // Maximum number of requests that wait for a worker to become ready. More would only wait until
  // they time out.
  static constexpr std::size_t kMaxWaiting = 1024;

  // Maximum per worker of cancelled requests that it has not answered yet.
  static constexpr std::size_t kMaxAbandoned = ipc::kMaxRequests;

  // A worker that has an unanswered cancelled request and has sent nothing for this long is
  // considered hanging, because a cancelled request is answered immediately. Other workers are
  // preferred.
  static constexpr BootTime kSilence = std::chrono::seconds(1);

  // How long a worker that was killed counts as lost: what verifies an Encrypt waits for it.
  static constexpr BootTime kLostFor = std::chrono::minutes(1);

  // How long a worker that could not serve a request is chosen last. Short, because the reason is
  // often OpenBao's and is over soon.
  static constexpr BootTime kFailedFor = std::chrono::seconds(1);

  // Workers that a suspect has to crash, each while it is the only request there, before it is
  // blamed. One crash may be a coincidence. The last one has to have become ready after the crash
  // before: whoever ends all workers at once must not have a request blamed that they had.
  static constexpr std::uint32_t kCrashesToBlame = 2;

  struct Send {
    Slot slot = 0;
    RequestId id = 0;
    ipc::MessageType type{};
    SharedMessage request;
  };

  struct Ended {
    PendingRequestPtr pending;
    ipc::Outcome outcome{};
  };

  // Tells the worker that it may stop working on `id`.
  struct Stop {
    Slot slot = 0;
    RequestId id = 0;
  };

  struct Steps {
    std::vector<Send> sends;
    std::vector<Ended> ended;
    std::vector<Stop> stops;
    std::vector<Slot> pings;  // workers to ask for a sign of life
    std::vector<Slot> kills;  // workers to kill: they are stopped
  };

  explicit RequestScheduler(std::size_t slots) : workers_(slots) {}

  Steps Submit(PendingRequestPtr pending, BootTime now);

  // Marks the worker as ready for requests.
  Steps WorkerReady(Slot slot, BootTime now);

  // Records whether the worker has a usable token. One without is chosen only if no other has one.
  void WorkerToken(Slot slot, bool usable) {
    workers_[slot].token = usable;
    workers_[slot].failed_at.reset();
  }

  // Records that the worker answered a ping.
  Steps WorkerPong(Slot slot, BootTime now);

  // Marks the worker as taking no more requests, before the reason is known. The requests that it
  // has stay with it.
  void WorkerLeaving(Slot slot);

  // The same for a worker that is about to be killed. However it ends, it counts as killed: it may
  // see that its channel is closed and exit first.
  void WorkerReplaced(Slot slot, BootTime now);

  // Removes the worker; the requests that it had move to others.
  Steps WorkerGone(Slot slot, WorkerEnd end, BootTime now);

  struct Answered {
    // Null: the answer is dropped, because the request was cancelled before, or because another
    // worker has it now and may do better.
    PendingRequestPtr pending;
    Steps steps;
  };

  struct AnswerFacts {
    std::size_t kind = 0;  // its index in AnyAnswer
    ipc::Outcome outcome{};
  };

  // Matches an answer with its request.
  // kProtocolViolation: the worker never received this request, or one of another type.
  Result<Answered> Answer(Slot slot, RequestId id, const AnswerFacts& answer, BootTime now);

  // Removes a request without running its callback. Does nothing if there is none with this id.
  Steps Cancel(RequestId id, BootTime now);

  // Ends a request with this outcome.
  Steps Abort(RequestId id, ipc::Outcome outcome, BootTime now);

  // Ends every request whose deadline has passed, looks for workers that are stopped, and sends
  // late requests to a second worker. Must be called at NextWake().
  Steps Advance(BootTime now);

  [[nodiscard]] std::optional<BootTime> NextWake() const;

  // Returns whether the worker of this slot is stopped, is leaving, or was killed less than
  // kLostFor ago.
  [[nodiscard]] bool IsLost(Slot slot, BootTime now) const;

 private:
  struct Worker {
    bool ready = false;
    std::uint64_t start = 0;  // its number among those that became ready
    bool leaving = false;     // it takes no more requests, and nobody knows yet why
    bool token = false;       // it has a usable one
    std::size_t assigned = 0;
    std::set<RequestId> abandoned;
    RequestId forgotten_up_to = 0;  // ids dropped from `abandoned` to bound it
    std::size_t forgotten = 0;      // how many of them were not answered
    BootTime heard{};               // its last answer, or its first request after being idle
    SilenceWatch silence{ipc::kWorkerSilence};
    std::optional<BootTime> failed_at{};  // if its last answer was a failure of its own
    std::optional<BootTime> killed_at{};  // outlives the process

    [[nodiscard]] std::size_t Load() const { return assigned + abandoned.size(); }
  };

  // A worker that is reserved for one suspect, or runs it.
  struct Trial {
    RequestId id = 0;
    Slot slot = 0;
  };

  enum class Choice : std::uint8_t { kTake, kTakeFresh, kWait, kNever };

  struct Picked {
    Choice choice = Choice::kWait;
    Slot slot = 0;
  };

  [[nodiscard]] Picked Pick(const PendingRequest& pending, BootTime now) const;
  [[nodiscard]] Picked PickAnother(const PendingRequest& pending, BootTime now) const;
  template <typename Allowed>
  [[nodiscard]] std::optional<Slot> LeastBusy(const PendingRequest& pending,
                                              BootTime now,
                                              const Allowed& allowed) const;
  [[nodiscard]] bool Hangs(Slot slot, BootTime now) const;
  [[nodiscard]] bool FailedLately(Slot slot, BootTime now) const;
  template <typename Condition>
  [[nodiscard]] bool AnyBut(Slot slot, const Condition& holds) const;
  [[nodiscard]] bool IsFree(Slot slot) const;
  [[nodiscard]] bool IsFreeFor(const PendingRequest& pending, Slot slot) const;
  void Assign(const PendingRequestPtr& pending, BootTime now, Steps& steps);
  void Give(PendingRequest& pending, Picked picked, BootTime now, Steps& steps);
  void SendTo(Slot slot, const PendingRequest& pending, BootTime now, Steps& steps);
  [[nodiscard]] std::vector<PendingRequestPtr> RequestsOf(Slot slot) const;
  void EndTrialOn(Slot slot);
  void Replay(const PendingRequestPtr& pending, WorkerEnd end, BootTime now, Steps& steps);
  void Expire(BootTime now, Steps& steps);
  void Tick(BootTime now, Steps& steps);
  void GiveToOthers(Slot slot, BootTime now, Steps& steps);
  void HedgeLate(BootTime now, Steps& steps);
  [[nodiscard]] std::optional<Slot> SecondFor(const PendingRequest& pending, BootTime now) const;
  bool TryElsewhere(PendingRequest& pending, BootTime now, Steps& steps);
  void Pump(BootTime now, Steps& steps);
  void PumpTrials(BootTime now, Steps& steps);
  PendingRequestPtr Remove(RequestId id);
  void GiveUp(const PendingRequest& pending, Steps& steps);
  void GiveUpOn(Slot slot, RequestId id, Steps& steps);

  std::vector<Worker> workers_;
  std::unordered_map<RequestId, PendingRequestPtr> requests_;
  std::set<std::pair<BootTime, RequestId>> deadlines_;
  std::deque<PendingRequestPtr> waiting_;
  std::deque<PendingRequestPtr> suspects_;
  std::optional<Trial> trial_;
  RefusedRequests refused_;
  HedgePolicy hedges_;
  std::uint64_t starts_ = 0;           // workers that became ready so far
  std::optional<BootTime> next_tick_;  // while any worker has requests
  std::size_t first_slot_ = 0;         // where the search for the least busy worker begins
};

}  // namespace baokms::supervisor
