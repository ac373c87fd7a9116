// Which worker does what, and what happens to the work of a worker that dies: pure bookkeeping.
// It sends nothing, calls nobody back and takes no lock; each event returns what is to be done.

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
#include "supervisor/workers/operation.h"
#include "supervisor/workers/refused_requests.h"
#include "supervisor/workers/worker_pool.h"

namespace baokms::supervisor {

class RequestScheduler final {
 public:
  // Operations in all: every method's largest configurable limit, and probes.
  static constexpr std::size_t kMostOperations = 4 * 1024;

  // Operations that wait for a worker to become ready. More would only wait to time out.
  static constexpr std::size_t kMostWaiting = 1024;

  // Per worker: operations that nobody waits for any more and that it has not answered yet.
  static constexpr std::size_t kMostAbandoned = 4 * 1024;

  // A worker that owes the answer to something given up and has said nothing for this long hangs,
  // as far as anybody can know: a cancelled request is answered at once. Others are preferred.
  static constexpr BootTime kSilence = std::chrono::seconds(1);

  // What death says about the requests a worker had.
  enum class Suspicion : std::uint8_t { kNone, kRequests };

  struct Send {
    Slot slot = 0;
    OperationId id = 0;
    ipc::MessageType type{};
    SharedMessage request;
  };

  struct Ended {
    OperationPtr operation;
    ipc::Outcome outcome{};
  };

  // The worker may stop working on `id`.
  struct Stop {
    Slot slot = 0;
    OperationId id = 0;
  };

  struct Steps {
    std::vector<Send> sends;
    std::vector<Ended> ended;
    std::vector<Stop> stops;
  };

  explicit RequestScheduler(std::size_t slots) : workers_(slots) {}

  Steps Submit(OperationPtr operation, BootTime now);

  // The worker takes operations from now on.
  Steps WorkerReady(Slot slot, BootTime now);

  // The worker takes nothing more; why is not known yet. What it has stays with it.
  void WorkerLeaving(Slot slot);

  // The worker is gone. What it had moves to others.
  Steps WorkerGone(Slot slot, Suspicion suspicion, BootTime now);

  struct Answered {
    OperationPtr operation;  // null: it was given up before; the answer is dropped
    Steps steps;
  };

  // kProtocolViolation: the worker was never asked this, or asked something else. `kind` is the
  // answer's index in AnyAnswer.
  Result<Answered> Answer(Slot slot, OperationId id, std::size_t kind, BootTime now);

  // Ends an operation without calling back. Nothing happens when there is none.
  Steps Cancel(OperationId id, BootTime now);

  // Ends an operation with this outcome.
  Steps Abort(OperationId id, ipc::Outcome outcome, BootTime now);

  // Ends everything whose deadline has passed.
  Steps Expire(BootTime now);

  [[nodiscard]] std::optional<BootTime> NextDeadline() const;

 private:
  struct Worker {
    bool ready = false;
    std::size_t in_flight = 0;
    std::set<OperationId> abandoned;
    OperationId forgotten_up_to = 0;  // ids dropped from `abandoned` to keep it bounded
    BootTime heard{};                 // its last answer, or when it got work after having none

    [[nodiscard]] std::size_t Load() const { return in_flight + abandoned.size(); }
  };

  // A worker that is kept free for one suspect, or has it.
  struct Trial {
    OperationId id = 0;
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
  void Place(const OperationPtr& operation, BootTime now, Steps& steps);
  void Give(const OperationPtr& operation, Picked picked, BootTime now, Steps& steps);
  void Replay(const OperationPtr& operation, Suspicion suspicion, BootTime now, Steps& steps);
  void Pump(BootTime now, Steps& steps);
  void PumpTrials(BootTime now, Steps& steps);
  OperationPtr Remove(OperationId id);
  void GiveUp(const Operation& operation, Steps& steps);

  std::vector<Worker> workers_;
  std::unordered_map<OperationId, OperationPtr> operations_;
  std::set<std::pair<BootTime, OperationId>> deadlines_;
  std::deque<OperationPtr> waiting_;
  std::deque<OperationPtr> suspects_;
  std::optional<Trial> trial_;
  RefusedRequests refused_;
  std::size_t first_slot_ = 0;  // where the search for the least busy one begins
};

}  // namespace baokms::supervisor
