#include "supervisor/workers/request_scheduler.h"

#include <algorithm>
#include <memory>

#include "common/base/error.h"

namespace baokms::supervisor {

void RefusedRequests::Add(const contract::Sha256Digest& fingerprint, BootTime now) {
  if (entries_.size() == kMaxEntries) {
    entries_.pop_front();
  }
  entries_.push_back({fingerprint, now + kRefusedFor});
}

bool RefusedRequests::Contains(const contract::Sha256Digest& fingerprint, BootTime now) {
  while (!entries_.empty() && entries_.front().until <= now) {
    entries_.pop_front();
  }
  return std::ranges::find(entries_, fingerprint, &Entry::fingerprint) != entries_.end();
}

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

// Among equally loaded workers, chooses the one that served the last free choice: its caches and
// its connection are warm, which makes a lone Decrypt faster than round-robin. Cancelled requests
// without an answer still count as load, because a stuck worker must not look idle. A hanging
// worker is chosen last, however small its load is.
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

// With kSameWorker, a hanging other worker counts as none: it must not keep an API server from
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

void RequestScheduler::Give(const PendingRequestPtr& pending,
                            Picked picked,
                            BootTime now,
                            Steps& steps) {
  if (picked.choice == Choice::kTakeFresh) {
    UseFreshConnection(*pending);
  }
  pending->slot = picked.slot;
  pending->sent = now;
  Worker& worker = workers_[picked.slot];
  if (worker.Load() == 0) {
    worker.heard = now;
  }
  ++worker.assigned;
  if (!pending->choice.not_this && !pending->choice.only) {
    first_slot_ = picked.slot;
  }
  steps.sends.push_back({picked.slot, pending->id, pending->type, pending->request});
}

void RequestScheduler::Assign(const PendingRequestPtr& pending, BootTime now, Steps& steps) {
  const Picked picked = Pick(pending->choice, now);
  if (picked.choice == Choice::kTake || picked.choice == Choice::kTakeFresh) {
    Give(pending, picked, now, steps);
    return;
  }
  if (picked.choice == Choice::kWait && waiting_.size() < kMaxWaiting) {
    waiting_.push_back(pending);
    return;
  }
  (void)Remove(pending->id);
  steps.ended.push_back({pending, picked.choice == Choice::kWait ? ipc::OUTCOME_OVERLOADED
                                                                 : ipc::OUTCOME_UNAVAILABLE});
}

RequestScheduler::Steps RequestScheduler::Submit(PendingRequestPtr pending, BootTime now) {
  Steps steps;
  pending->submitted = now;
  if (pending->deadline <= now) {
    steps.ended.push_back({std::move(pending), ipc::OUTCOME_TIMEOUT});
  } else if (requests_.size() >= kMaxRequests) {
    steps.ended.push_back({std::move(pending), ipc::OUTCOME_OVERLOADED});
  } else if (!refused_.empty() && refused_.Contains(Fingerprint(*pending), now)) {
    steps.ended.push_back({std::move(pending), ipc::OUTCOME_INTERNAL});
  } else {
    requests_.emplace(pending->id, pending);
    deadlines_.emplace(pending->deadline, pending->id);
    Assign(pending, now, steps);
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
  std::vector<PendingRequestPtr> orphans;
  for (const auto& [id, pending] : requests_) {
    if (pending->slot == slot) {
      orphans.push_back(pending);
    }
  }
  std::ranges::sort(orphans, {}, &PendingRequest::id);
  const bool had_trial = trial_ && trial_->slot == slot;
  if (had_trial) {
    const auto suspect = requests_.find(trial_->id);
    if (suspect != requests_.end() && !suspect->second->slot) {
      suspects_.push_front(suspect->second);  // the suspect had not been sent yet
    }
    trial_.reset();
  }
  for (const PendingRequestPtr& pending : orphans) {
    pending->slot.reset();
    Replay(pending, suspicion, now, steps);
  }
  Pump(now, steps);
  return steps;
}

void RequestScheduler::Replay(const PendingRequestPtr& pending,
                              Suspicion suspicion,
                              BootTime now,
                              Steps& steps) {
  const bool on_trial = pending->trust == PendingRequest::Trust::kOnTrial;
  if (suspicion == Suspicion::kRequests && on_trial) {
    refused_.Add(Fingerprint(*pending), now);
    (void)Remove(pending->id);
    steps.ended.push_back({pending, ipc::OUTCOME_INTERNAL});
    return;
  }
  ++pending->replays;
  if (suspicion == Suspicion::kRequests || on_trial) {
    pending->trust = PendingRequest::Trust::kSuspect;
    suspects_.push_back(pending);
    return;
  }
  Assign(pending, now, steps);
}

void RequestScheduler::PumpTrials(BootTime now, Steps& steps) {
  while (!trial_ && !suspects_.empty()) {
    const PendingRequestPtr suspect = suspects_.front();
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
    if (picked.choice == Choice::kTakeFresh) {
      UseFreshConnection(*suspect);
    }
    trial_ = Trial{suspect->id, picked.slot};
  }
  if (!trial_) {
    return;
  }
  const PendingRequestPtr& suspect = requests_.at(trial_->id);
  const Worker& worker = workers_[trial_->slot];
  // The trial needs an otherwise idle worker: a cancelled request that is still being worked on may
  // be the culprit.
  const bool idle = worker.ready && worker.Load() == 0;
  if (suspect->trust == PendingRequest::Trust::kSuspect && idle) {
    suspect->trust = PendingRequest::Trust::kOnTrial;
    Give(suspect, {Choice::kTake, trial_->slot}, now, steps);
  }
}

void RequestScheduler::Pump(BootTime now, Steps& steps) {
  PumpTrials(now, steps);
  std::deque<PendingRequestPtr> waiting;
  waiting.swap(waiting_);
  for (const PendingRequestPtr& pending : waiting) {
    Assign(pending, now, steps);
  }
}

Result<RequestScheduler::Answered> RequestScheduler::Answer(Slot slot,
                                                            RequestId id,
                                                            std::size_t kind,
                                                            BootTime now) {
  Worker& worker = workers_[slot];
  worker.heard = now;
  const auto found = requests_.find(id);
  if (found == requests_.end() || found->second->slot != slot) {
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

RequestScheduler::Steps RequestScheduler::Cancel(RequestId id, BootTime now) {
  Steps steps;
  if (const PendingRequestPtr pending = Remove(id)) {
    GiveUp(*pending, steps);
    Pump(now, steps);
  }
  return steps;
}

RequestScheduler::Steps RequestScheduler::Abort(RequestId id, ipc::Outcome outcome, BootTime now) {
  Steps steps;
  if (PendingRequestPtr pending = Remove(id)) {
    steps.ended.push_back({std::move(pending), outcome});
    Pump(now, steps);
  }
  return steps;
}

RequestScheduler::Steps RequestScheduler::Expire(BootTime now) {
  Steps steps;
  while (!deadlines_.empty() && deadlines_.begin()->first <= now) {
    PendingRequestPtr pending = Remove(deadlines_.begin()->second);
    GiveUp(*pending, steps);
    steps.ended.push_back({std::move(pending), ipc::OUTCOME_TIMEOUT});
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

// Removes the request from every list and returns it; null if there is none with this id.
PendingRequestPtr RequestScheduler::Remove(RequestId id) {
  const auto found = requests_.find(id);
  if (found == requests_.end()) {
    return nullptr;
  }
  PendingRequestPtr pending = std::move(found->second);
  requests_.erase(found);
  deadlines_.erase({pending->deadline, id});
  if (trial_ && trial_->id == id) {
    trial_.reset();
  }
  if (pending->slot) {
    --workers_[*pending->slot].assigned;
  } else {
    std::erase(waiting_, pending);
    std::erase(suspects_, pending);
  }
  return pending;
}

// Tells the worker that has the request, if one does, and remembers the id, because the worker may
// still answer.
void RequestScheduler::GiveUp(const PendingRequest& pending, Steps& steps) {
  if (!pending.slot) {
    return;
  }
  Worker& worker = workers_[*pending.slot];
  worker.abandoned.insert(pending.id);
  if (worker.abandoned.size() > kMaxAbandoned) {
    worker.forgotten_up_to = *worker.abandoned.begin();
    worker.abandoned.erase(worker.abandoned.begin());
  }
  steps.stops.push_back({*pending.slot, pending.id});
}

}  // namespace baokms::supervisor
