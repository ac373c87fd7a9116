#include "supervisor/workers/request_scheduler.h"

#include <algorithm>
#include <cstddef>
#include <deque>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "common/base/clock.h"
#include "common/base/error.h"
#include "common/base/result.h"
#include "proto/ipc.pb.h"
#include "supervisor/workers/operation.h"
#include "supervisor/workers/worker_pool.h"

namespace baokms::supervisor {

bool RequestScheduler::IsFree(Slot slot) const {
  return workers_[slot].ready && (!trial_ || trial_->slot != slot);
}

bool RequestScheduler::AnyReadyBut(Slot slot) const {
  for (std::size_t i = 0; i < workers_.size(); ++i) {
    if (i != slot && workers_[i].ready) {
      return true;
    }
  }
  return false;
}

bool RequestScheduler::Hangs(Slot slot, BootTime now) const {
  const Worker& worker = workers_[slot];
  return !worker.abandoned.empty() && now - worker.heard >= kSilence;
}

// Among equals the one that had the last free choice: its caches and its connection are warm, which
// makes a lone Decrypt faster than taking turns does.
// Work that was given up but not answered still counts: a worker that is stuck must not look idle.
// One that hangs comes last, however little it has to do.
std::optional<Slot> RequestScheduler::LeastBusy(std::optional<Slot> not_this, BootTime now) const {
  std::optional<Slot> best;
  std::pair<bool, std::size_t> least;
  for (std::size_t i = 0; i < workers_.size(); ++i) {
    const auto slot = static_cast<Slot>((first_slot_ + i) % workers_.size());
    const std::pair load(Hangs(slot, now), workers_[slot].Load());
    if (IsFree(slot) && slot != not_this && (!best || load < least)) {
      best = slot;
      least = load;
    }
  }
  return best;
}

RequestScheduler::Picked RequestScheduler::Pick(const WorkerChoice& choice, BootTime now) const {
  if (choice.not_this && !choice.only) {
    return PickAnother(choice, now);
  }
  if (!choice.only) {
    const std::optional<Slot> best = LeastBusy(std::nullopt, now);
    return best ? Picked{Choice::kTake, *best} : Picked{Choice::kWait};
  }
  if (*choice.only >= workers_.size() || !workers_[*choice.only].ready) {
    return {Choice::kNever};
  }
  return {IsFree(*choice.only) ? Choice::kTake : Choice::kWait, *choice.only};
}

// With kSameWorker, one that hangs is no better than none: it must not keep an API server from
// starting.
RequestScheduler::Picked RequestScheduler::PickAnother(const WorkerChoice& choice,
                                                       BootTime now) const {
  const Slot same = *choice.not_this;
  const bool or_same = choice.fallback == WorkerChoice::Fallback::kSameWorker;
  const bool same_is_free = same < workers_.size() && IsFree(same);
  if (const std::optional<Slot> best = LeastBusy(same, now)) {
    if (or_same && same_is_free && Hangs(*best, now) && !Hangs(same, now)) {
      return {Choice::kTakeFresh, same};
    }
    return {Choice::kTake, *best};
  }
  if (AnyReadyBut(same)) {
    return {Choice::kWait};
  }
  if (!or_same) {
    return {Choice::kNever};
  }
  return {same_is_free ? Choice::kTakeFresh : Choice::kWait, same};
}

void RequestScheduler::Give(const OperationPtr& operation,
                            Picked picked,
                            BootTime now,
                            Steps& steps) {
  if (picked.choice == Choice::kTakeFresh && operation->type == ipc::MessageType::kDecryptRequest) {
    operation->request = OverFreshConnection(*operation->request);
  }
  operation->slot = picked.slot;
  operation->sent = now;
  Worker& worker = workers_[picked.slot];
  if (worker.Load() == 0) {
    worker.heard = now;
  }
  ++worker.in_flight;
  if (!operation->choice.not_this && !operation->choice.only) {
    first_slot_ = picked.slot;
  }
  steps.sends.push_back({picked.slot, operation->id, operation->type, operation->request});
}

void RequestScheduler::Place(const OperationPtr& operation, BootTime now, Steps& steps) {
  const Picked picked = Pick(operation->choice, now);
  if (picked.choice == Choice::kTake || picked.choice == Choice::kTakeFresh) {
    Give(operation, picked, now, steps);
    return;
  }
  if (picked.choice == Choice::kWait && waiting_.size() < kMostWaiting) {
    waiting_.push_back(operation);
    return;
  }
  (void)Remove(operation->id);
  steps.ended.push_back({operation, picked.choice == Choice::kWait ? ipc::OUTCOME_OVERLOADED
                                                                   : ipc::OUTCOME_UNAVAILABLE});
}

RequestScheduler::Steps RequestScheduler::Submit(OperationPtr operation, BootTime now) {
  Steps steps;
  operation->submitted = now;
  if (operation->deadline <= now) {
    steps.ended.push_back({std::move(operation), ipc::OUTCOME_TIMEOUT});
  } else if (operations_.size() >= kMostOperations) {
    steps.ended.push_back({std::move(operation), ipc::OUTCOME_OVERLOADED});
  } else if (!refused_.empty() && refused_.Contains(Fingerprint(*operation), now)) {
    steps.ended.push_back({std::move(operation), ipc::OUTCOME_INTERNAL});
  } else {
    operations_.emplace(operation->id, operation);
    deadlines_.emplace(operation->deadline, operation->id);
    Place(operation, now, steps);
  }
  return steps;
}

RequestScheduler::Steps RequestScheduler::WorkerReady(Slot slot, BootTime now) {
  Steps steps;
  workers_[slot].ready = true;
  Pump(now, steps);
  return steps;
}

void RequestScheduler::WorkerLeaving(Slot slot) {
  workers_[slot].ready = false;
}

RequestScheduler::Steps RequestScheduler::WorkerGone(Slot slot, Suspicion suspicion, BootTime now) {
  Steps steps;
  workers_[slot] = Worker();
  std::vector<OperationPtr> orphans;
  for (const auto& [id, operation] : operations_) {
    if (operation->slot == slot) {
      orphans.push_back(operation);
    }
  }
  std::ranges::sort(orphans, {}, &Operation::id);
  const bool had_trial = trial_ && trial_->slot == slot;
  if (had_trial) {
    const auto suspect = operations_.find(trial_->id);
    if (suspect != operations_.end() && !suspect->second->slot) {
      suspects_.push_front(suspect->second);  // it had not been sent yet
    }
    trial_.reset();
  }
  for (const OperationPtr& operation : orphans) {
    operation->slot.reset();
    Replay(operation, suspicion, now, steps);
  }
  Pump(now, steps);
  return steps;
}

void RequestScheduler::Replay(const OperationPtr& operation,
                              Suspicion suspicion,
                              BootTime now,
                              Steps& steps) {
  const bool on_trial = operation->trust == Operation::Trust::kOnTrial;
  if (suspicion == Suspicion::kRequests && on_trial) {
    refused_.Add(Fingerprint(*operation), now);
    (void)Remove(operation->id);
    steps.ended.push_back({operation, ipc::OUTCOME_INTERNAL});
    return;
  }
  ++operation->replays;
  if (suspicion == Suspicion::kRequests || on_trial) {
    operation->trust = Operation::Trust::kSuspect;
    suspects_.push_back(operation);
    return;
  }
  Place(operation, now, steps);
}

void RequestScheduler::PumpTrials(BootTime now, Steps& steps) {
  while (!trial_ && !suspects_.empty()) {
    const OperationPtr suspect = suspects_.front();
    const Picked picked = Pick(suspect->choice, now);
    if (picked.choice == Choice::kWait) {
      return;
    }
    suspects_.pop_front();
    if (picked.choice == Choice::kNever) {
      (void)Remove(suspect->id);
      steps.ended.push_back({suspect, ipc::OUTCOME_UNAVAILABLE});
      continue;
    }
    if (picked.choice == Choice::kTakeFresh && suspect->type == ipc::MessageType::kDecryptRequest) {
      suspect->request = OverFreshConnection(*suspect->request);
    }
    trial_ = Trial{suspect->id, picked.slot};
  }
  if (!trial_) {
    return;
  }
  const OperationPtr& suspect = operations_.at(trial_->id);
  const Worker& worker = workers_[trial_->slot];
  // Alone means alone: what was given up may be the culprit and is still being worked on.
  const bool idle = worker.ready && worker.Load() == 0;
  if (suspect->trust == Operation::Trust::kSuspect && idle) {
    suspect->trust = Operation::Trust::kOnTrial;
    Give(suspect, {Choice::kTake, trial_->slot}, now, steps);
  }
}

void RequestScheduler::Pump(BootTime now, Steps& steps) {
  PumpTrials(now, steps);
  std::deque<OperationPtr> waiting;
  waiting.swap(waiting_);
  for (const OperationPtr& operation : waiting) {
    Place(operation, now, steps);
  }
}

Result<RequestScheduler::Answered> RequestScheduler::Answer(Slot slot,
                                                            OperationId id,
                                                            std::size_t kind,
                                                            BootTime now) {
  Worker& worker = workers_[slot];
  worker.heard = now;
  const auto found = operations_.find(id);
  if (found == operations_.end() || found->second->slot != slot) {
    if (worker.abandoned.erase(id) == 0 && (id == 0 || id > worker.forgotten_up_to)) {
      return Error(ErrorCode::kProtocolViolation, "answer to something that was not asked");
    }
    Answered late;
    Pump(now, late.steps);
    return late;
  }
  if (found->second->done.index() != kind) {
    return Error(ErrorCode::kProtocolViolation, "answer of another kind than its question");
  }
  Answered answered{Remove(id), {}};
  if (trial_ || !waiting_.empty() || !suspects_.empty()) {
    Pump(now, answered.steps);
  }
  return answered;
}

RequestScheduler::Steps RequestScheduler::Cancel(OperationId id, BootTime now) {
  Steps steps;
  const auto found = operations_.find(id);
  if (found == operations_.end()) {
    return steps;
  }
  const OperationPtr operation = found->second;
  const std::optional<Slot> slot = operation->slot;
  (void)Remove(id);
  if (slot) {
    GiveUp(*operation, steps);
  }
  Pump(now, steps);
  return steps;
}

RequestScheduler::Steps RequestScheduler::Abort(OperationId id,
                                                ipc::Outcome outcome,
                                                BootTime now) {
  Steps steps;
  if (OperationPtr operation = Remove(id)) {
    steps.ended.push_back({std::move(operation), outcome});
    Pump(now, steps);
  }
  return steps;
}

RequestScheduler::Steps RequestScheduler::Expire(BootTime now) {
  Steps steps;
  while (!deadlines_.empty() && deadlines_.begin()->first <= now) {
    OperationPtr operation = Remove(deadlines_.begin()->second);
    if (operation->slot) {
      GiveUp(*operation, steps);
    }
    steps.ended.push_back({std::move(operation), ipc::OUTCOME_TIMEOUT});
  }
  if (!steps.ended.empty()) {
    Pump(now, steps);
  }
  return steps;
}

std::optional<BootTime> RequestScheduler::NextDeadline() const {
  if (deadlines_.empty()) {
    return std::nullopt;
  }
  return deadlines_.begin()->first;
}

// Takes the operation out of every list; null when there is none of this id.
OperationPtr RequestScheduler::Remove(OperationId id) {
  const auto found = operations_.find(id);
  if (found == operations_.end()) {
    return nullptr;
  }
  OperationPtr operation = std::move(found->second);
  operations_.erase(found);
  deadlines_.erase({operation->deadline, id});
  if (trial_ && trial_->id == id) {
    trial_.reset();
  }
  if (operation->slot) {
    --workers_[*operation->slot].in_flight;
  } else {
    std::erase(waiting_, operation);
    std::erase(suspects_, operation);
  }
  return operation;
}

// The worker may still answer, so its id is remembered.
void RequestScheduler::GiveUp(const Operation& operation, Steps& steps) {
  Worker& worker = workers_[*operation.slot];
  worker.abandoned.insert(operation.id);
  if (worker.abandoned.size() > kMostAbandoned) {
    worker.forgotten_up_to = *worker.abandoned.begin();
    worker.abandoned.erase(worker.abandoned.begin());
  }
  steps.stops.push_back({*operation.slot, operation.id});
}

}  // namespace baokms::supervisor
