// Decides which worker handles which request, and what happens to the requests of a worker that
// exits. Pure bookkeeping: it sends nothing, runs no callback and takes no lock; each event returns
// the steps that its caller must carry out.

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
#include "common/contract/encoding.h"
#include "ipc/limits.h"
#include "ipc/message_type.h"
#include "proto/ipc.pb.h"
#include "supervisor/workers/pending_request.h"
#include "supervisor/workers/worker_pool.h"

namespace baokms::supervisor {

// Requests that crashed workers twice and are refused for a while. The list is bounded: the oldest
// entry makes room for a new one.
class RefusedRequests final {
 public:
  static constexpr BootTime kRefusedFor = std::chrono::minutes(10);

  // Maximum number of entries. Each costs an attacker two worker processes, whose restarts slow it
  // down.
  static constexpr std::size_t kMaxEntries = 256;

  void Add(const contract::Sha256Digest& fingerprint, BootTime now);

  // Returns whether the request is refused. Also removes entries older than kRefusedFor.
  [[nodiscard]] bool Contains(const contract::Sha256Digest& fingerprint, BootTime now);

  // True in normal operation; no fingerprint needs to be computed then.
  [[nodiscard]] bool empty() const { return entries_.empty(); }

 private:
  struct Entry {
    contract::Sha256Digest fingerprint;
    BootTime until;
  };

  std::deque<Entry> entries_;  // ordered by `until`
};

// Decides which worker handles which request, and what happens to the requests of a worker that
// exits.
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
  };

  explicit RequestScheduler(std::size_t slots) : workers_(slots) {}

  Steps Submit(PendingRequestPtr pending, BootTime now);

  // Marks the worker as ready for requests.
  Steps WorkerReady(Slot slot, BootTime now);

  // Marks the worker as taking no more requests, before the reason is known. The requests that it
  // has stay with it.
  void WorkerLeaving(Slot slot);

  // Removes the worker; the requests that it had move to others.
  Steps WorkerGone(Slot slot, Suspicion suspicion, BootTime now);

  struct Answered {
    PendingRequestPtr pending;  // null: it was cancelled before; the answer is dropped
    Steps steps;
  };

  // Matches an answer with its request. `kind` is the answer's index in AnyAnswer.
  // kProtocolViolation: the worker never received this request, or one of another type.
  Result<Answered> Answer(Slot slot, RequestId id, std::size_t kind, BootTime now);

  // Removes a request without running its callback. Does nothing if there is none with this id.
  Steps Cancel(RequestId id, BootTime now);

  // Ends a request with this outcome.
  Steps Abort(RequestId id, ipc::Outcome outcome, BootTime now);

  // Ends every request whose deadline has passed.
  Steps Expire(BootTime now);

  [[nodiscard]] std::optional<BootTime> NextDeadline() const;

 private:
  struct Worker {
    bool ready = false;
    std::size_t assigned = 0;
    std::set<RequestId> abandoned;
    RequestId forgotten_up_to = 0;  // ids dropped from `abandoned` to bound it
    BootTime heard{};               // its last answer, or its first request after being idle

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

  [[nodiscard]] Picked Pick(const WorkerChoice& choice, BootTime now) const;
  [[nodiscard]] Picked PickAnother(const WorkerChoice& choice, BootTime now) const;
  [[nodiscard]] std::optional<Slot> LeastBusy(std::optional<Slot> not_this, BootTime now) const;
  [[nodiscard]] bool Hangs(Slot slot, BootTime now) const;
  [[nodiscard]] bool AnyReadyBut(Slot slot) const;
  [[nodiscard]] bool IsFree(Slot slot) const;
  void Assign(const PendingRequestPtr& pending, BootTime now, Steps& steps);
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
  std::size_t first_slot_ = 0;  // where the search for the least busy worker begins
};

}  // namespace baokms::supervisor
