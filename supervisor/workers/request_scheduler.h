// Decides which worker handles which request, and what happens to the requests of a worker that
// dies. Pure bookkeeping: it sends nothing, runs no callback and takes no lock; each event returns
// the steps that its caller has to carry out.

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
#include "ipc/message_type.h"
#include "proto/ipc.pb.h"
#include "supervisor/workers/pending_request.h"
#include "supervisor/workers/refused_requests.h"
#include "supervisor/workers/worker_pool.h"

namespace baokms::supervisor {

class RequestScheduler final {
 public:
  // Requests in all: every method's largest configurable limit, and probes.
  static constexpr std::size_t kMaxRequests = 4 * 1024;

  // Requests that wait for a worker to become ready. More would only wait to time out.
  static constexpr std::size_t kMaxWaiting = 1024;

  // Per worker: requests that nobody waits for any more and that it has not answered yet.
  static constexpr std::size_t kMaxAbandoned = 4 * 1024;

  // A worker that owes the answer to something given up and has said nothing for this long hangs,
  // as far as anybody can know: a cancelled request is answered at once. Others are preferred.
  static constexpr BootTime kSilence = std::chrono::seconds(1);

  // Whether the way a worker died casts suspicion on the requests that it had.
  enum class Suspicion : std::uint8_t { kNone, kRequests };

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

  // The worker may stop working on `id`.
  struct Stop {
    Slot slot = 0;
    RequestId id = 0;
  };

  struct Steps {
    std::vector<Send> sends;
    std::vector<Ended> ended;
    std::vector<Stop> stops;
  };

  explicit RequestScheduler(std::size_t slots) : workers_(slots) {}

  Steps Submit(PendingRequestPtr pending, BootTime now);

  // The worker takes requests from now on.
  Steps WorkerReady(Slot slot, BootTime now);

  // The worker takes nothing more; why is not known yet. What it has stays with it.
  void WorkerLeaving(Slot slot);

  // The worker is gone. What it had moves to others.
  Steps WorkerGone(Slot slot, Suspicion suspicion, BootTime now);

  struct Answered {
    PendingRequestPtr pending;  // null: it was given up before; the answer is dropped
    Steps steps;
  };

  // kProtocolViolation: the worker was never asked this, or asked something else. `kind` is the
  // answer's index in AnyAnswer.
  Result<Answered> Answer(Slot slot, RequestId id, std::size_t kind, BootTime now);

  // Ends a request without running its callback. Nothing happens when there is none.
  Steps Cancel(RequestId id, BootTime now);

  // Ends a request with this outcome.
  Steps Abort(RequestId id, ipc::Outcome outcome, BootTime now);

  // Ends everything whose deadline has passed.
  Steps Expire(BootTime now);

  [[nodiscard]] std::optional<BootTime> NextDeadline() const;

 private:
  struct Worker {
    bool ready = false;
    std::size_t in_flight = 0;
    std::set<RequestId> abandoned;
    RequestId forgotten_up_to = 0;  // ids dropped from `abandoned` to keep it bounded
    BootTime heard{};               // its last answer, or when it got work after having none

    [[nodiscard]] std::size_t Load() const { return in_flight + abandoned.size(); }
  };

  // A worker that is kept free for one suspect, or has it.
  struct Trial {
    RequestId id = 0;
    Slot slot = 0;
  };

  enum class Choice : std::uint8_t { kTake, kTakeFresh, kWait, kNever };

  struct Picked {
    Choice choice = Choice::kWait;
    Slot slot = 0;
  };

  [[nodiscard]] Picked Pick(const WorkerChoice& choice, BootTime now) const;
  [[nodiscard]] Picked PickAnother(const WorkerChoice& choice, BootTime now) const;
  [[nodiscard]] std::optional<Slot> LeastBusy(std::optional<Slot> not_this, BootTime now) const;
  [[nodiscard]] bool Hangs(Slot slot, BootTime now) const;
  [[nodiscard]] bool AnyReadyBut(Slot slot) const;
  [[nodiscard]] bool IsFree(Slot slot) const;
  void Place(const PendingRequestPtr& pending, BootTime now, Steps& steps);
  void Give(const PendingRequestPtr& pending, Picked picked, BootTime now, Steps& steps);
  void Replay(const PendingRequestPtr& pending, Suspicion suspicion, BootTime now, Steps& steps);
  void Pump(BootTime now, Steps& steps);
  void PumpTrials(BootTime now, Steps& steps);
  PendingRequestPtr Remove(RequestId id);
  void GiveUp(const PendingRequest& pending, Steps& steps);

  std::vector<Worker> workers_;
  std::unordered_map<RequestId, PendingRequestPtr> requests_;
  std::set<std::pair<BootTime, RequestId>> deadlines_;
  std::deque<PendingRequestPtr> waiting_;
  std::deque<PendingRequestPtr> suspects_;
  std::optional<Trial> trial_;
  RefusedRequests refused_;
  std::size_t first_slot_ = 0;  // where the search for the least busy one begins
};

}  // namespace baokms::supervisor
