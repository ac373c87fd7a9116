#include "supervisor/workers/request_scheduler.h"

#include <algorithm>
#include <memory>

#include "common/base/error.h"

namespace baokms::supervisor {

void RequestScheduler::Give(PendingRequest& pending, Picked picked, BootTime now, Steps& steps) {
  if (picked.choice == Choice::kTakeFresh) {
    UseFreshConnection(pending);
  }
  pending.slot = picked.slot;
  pending.sent = now;
  if (!pending.choice.not_this && !pending.choice.only) {
    first_slot_ = picked.slot;
  }
  SendTo(picked.slot, pending, now, steps);
}

void RequestScheduler::SendTo(Slot slot,
                              const PendingRequest& pending,
                              BootTime now,
                              Steps& steps) {
  Worker& worker = workers_[slot];
  if (worker.Load() == 0) {
    worker.heard = now;
  }
  ++worker.assigned;
  if (!next_tick_) {
    next_tick_ = now + ipc::kWorkerSilence.tick;
  }
  steps.sends.push_back({slot, pending.id, pending.type, pending.request});
}

void RequestScheduler::Assign(const PendingRequestPtr& pending, BootTime now, Steps& steps) {
  const Picked picked = Pick(*pending, now);
  if (picked.choice == Choice::kTake || picked.choice == Choice::kTakeFresh) {
    Give(*pending, picked, now, steps);
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
  workers_[slot].start = ++starts_;
  workers_[slot].leaving = false;
  Pump(now, steps);
  return steps;
}

void RequestScheduler::WorkerLeaving(Slot slot) {
  workers_[slot].ready = false;
  workers_[slot].leaving = true;
}

void RequestScheduler::WorkerReplaced(Slot slot, BootTime now) {
  WorkerLeaving(slot);
  workers_[slot].killed_at = now;
}

RequestScheduler::Steps RequestScheduler::WorkerGone(Slot slot, WorkerEnd end, BootTime now) {
  Steps steps;
  const std::optional<BootTime> killed_before = workers_[slot].killed_at;
  workers_[slot] = Worker();
  workers_[slot].killed_at = end == WorkerEnd::kExited ? killed_before : now;
  EndTrialOn(slot);
  for (const PendingRequestPtr& pending : RequestsOf(slot)) {
    // A request that goes on elsewhere and crashes that worker, too, is a suspect then.
    if (!GoesOnElsewhere(*pending, slot)) {
      Replay(pending, end, now, steps);
    }
  }
  Pump(now, steps);
  return steps;
}

// In the order in which they were submitted.
std::vector<PendingRequestPtr> RequestScheduler::RequestsOf(Slot slot) const {
  std::vector<PendingRequestPtr> found;
  for (const auto& [id, pending] : requests_) {
    if (pending->slot == slot || pending->hedge == slot) {
      found.push_back(pending);
    }
  }
  std::ranges::sort(found, {}, &PendingRequest::id);
  return found;
}

// Ends the trial that the worker is reserved for, if there is one. A suspect that it has already
// stays there.
void RequestScheduler::EndTrialOn(Slot slot) {
  if (!trial_ || trial_->slot != slot) {
    return;
  }
  const auto suspect = requests_.find(trial_->id);
  if (suspect != requests_.end() && !suspect->second->slot) {
    suspects_.push_front(suspect->second);  // it had not been sent yet
  }
  trial_.reset();
}

void RequestScheduler::Replay(const PendingRequestPtr& pending,
                              WorkerEnd end,
                              BootTime now,
                              Steps& steps) {
  const bool on_trial = pending->trust == PendingRequest::Trust::kOnTrial;
  if (end == WorkerEnd::kCrashed && on_trial && ++pending->crashes == kCrashesToBlame) {
    refused_.Add(Fingerprint(*pending), now);
    (void)Remove(pending->id);
    steps.ended.push_back({pending, ipc::OUTCOME_INTERNAL});
    return;
  }
  ++pending->replays;
  pending->started_before_crash = starts_;
  if (end == WorkerEnd::kCrashed || on_trial) {
    pending->trust = PendingRequest::Trust::kSuspect;
    suspects_.push_back(pending);
    return;
  }
  Assign(pending, now, steps);
}

void RequestScheduler::PumpTrials(BootTime now, Steps& steps) {
  for (auto next = suspects_.begin(); !trial_ && next != suspects_.end();) {
    const PendingRequestPtr suspect = *next;
    const Picked picked = Pick(*suspect, now);
    if (picked.choice == Choice::kWait) {
      ++next;
      continue;
    }
    next = suspects_.erase(next);
    if (picked.choice == Choice::kNever) {
      (void)Remove(suspect->id);
      steps.ended.push_back({suspect, ipc::OUTCOME_UNAVAILABLE});
      next = suspects_.begin();  // Remove() may have changed the list
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
    Give(*suspect, {Choice::kTake, trial_->slot}, now, steps);
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
                                                            const AnswerFacts& answer,
                                                            BootTime now) {
  Worker& worker = workers_[slot];
  const bool was_stopped = worker.silence.stopped();
  worker.heard = now;
  worker.silence.Heard();
  const auto found = requests_.find(id);
  if (found == requests_.end() || (found->second->slot != slot && found->second->hedge != slot)) {
    if (worker.abandoned.erase(id) == 0) {
      if (id == 0 || id > worker.forgotten_up_to || worker.forgotten == 0) {
        return Error(ErrorCode::kProtocolViolation, "answer to something that was not asked");
      }
      --worker.forgotten;
    }
    Answered late;
    Pump(now, late.steps);
    return late;
  }
  PendingRequest& pending = *found->second;
  if (pending.done.index() != answer.kind) {
    return Error(ErrorCode::kProtocolViolation, "answer of another kind than its question");
  }
  const bool failed = HedgePolicy::IsAboutWorker(answer.outcome);
  worker.failed_at = failed ? std::optional(now) : std::nullopt;
  Answered answered;
  const bool had_two = pending.hedge.has_value();
  if (had_two) {
    --worker.assigned;
    (void)GoesOnElsewhere(pending, slot);
  }
  if (failed && (had_two || TryElsewhere(pending, now, answered.steps))) {
    Pump(now, answered.steps);
    return answered;
  }
  answered.pending = Remove(id);
  if (had_two) {
    GiveUp(*answered.pending, answered.steps);
  }
  hedges_.Completed(answer.kind, now - answered.pending->sent);
  if (was_stopped || trial_ || !waiting_.empty() || !suspects_.empty()) {
    Pump(now, answered.steps);
  }
  return answered;
}

// Gives a request that its worker failed to another one, once. When OpenBao is the reason, all of
// them have failed lately.
bool RequestScheduler::TryElsewhere(PendingRequest& pending, BootTime now, Steps& steps) {
  if (pending.tried_twice || pending.deadline <= now) {
    return false;
  }
  const std::optional<Slot> second = SecondFor(pending, now);
  if (!second) {
    return false;
  }
  --workers_[*pending.slot].assigned;
  pending.tried_twice = true;
  ++pending.replays;
  Give(pending, {Choice::kTake, *second}, now, steps);
  return true;
}

RequestScheduler::Steps RequestScheduler::WorkerPong(Slot slot, BootTime now) {
  Steps steps;
  workers_[slot].silence.Heard();
  Pump(now, steps);
  return steps;
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

RequestScheduler::Steps RequestScheduler::Advance(BootTime now) {
  Steps steps;
  Expire(now, steps);
  if (next_tick_ && *next_tick_ <= now) {
    Tick(now, steps);
  }
  return steps;
}

void RequestScheduler::Expire(BootTime now, Steps& steps) {
  while (!deadlines_.empty() && deadlines_.begin()->first <= now) {
    PendingRequestPtr pending = Remove(deadlines_.begin()->second);
    GiveUp(*pending, steps);
    steps.ended.push_back({std::move(pending), ipc::OUTCOME_TIMEOUT});
  }
  if (!steps.ended.empty()) {
    Pump(now, steps);
  }
}

void RequestScheduler::Tick(BootTime now, Steps& steps) {
  for (Slot slot = 0; slot < workers_.size(); ++slot) {
    Worker& worker = workers_[slot];
    switch (worker.silence.Tick(worker.ready && worker.Load() > 0)) {
      case SilenceWatch::Step::kNothing:
        break;
      case SilenceWatch::Step::kPing:
        steps.pings.push_back(slot);
        break;
      case SilenceWatch::Step::kStopped:
        GiveToOthers(slot, now, steps);
        break;
      case SilenceWatch::Step::kKill:
        steps.kills.push_back(slot);
        break;
    }
  }
  HedgeLate(now, steps);
  next_tick_.reset();
  if (std::ranges::any_of(workers_, [](const Worker& worker) { return worker.Load() > 0; })) {
    next_tick_ = now + ipc::kWorkerSilence.tick;
  }
}

// Takes the requests of a worker that is stopped away from it, except for those that no other
// worker may handle. It is told, and what it answers when it runs again is dropped.
void RequestScheduler::GiveToOthers(Slot slot, BootTime now, Steps& steps) {
  EndTrialOn(slot);
  for (const PendingRequestPtr& pending : RequestsOf(slot)) {
    if (pending->choice.only) {
      continue;
    }
    --workers_[slot].assigned;
    GiveUpOn(slot, pending->id, steps);
    if (!GoesOnElsewhere(*pending, slot)) {
      Replay(pending, WorkerEnd::kKilled, now, steps);
    }
  }
  Pump(now, steps);
}

void RequestScheduler::HedgeLate(BootTime now, Steps& steps) {
  if (!hedges_.Affordable()) {
    return;
  }
  std::vector<PendingRequestPtr> late;
  for (const auto& [id, pending] : requests_) {
    if (pending->slot && !pending->hedge &&
        now - pending->sent >= hedges_.DelayOf(pending->done.index())) {
      late.push_back(pending);
    }
  }
  std::ranges::sort(late, {}, &PendingRequest::sent);
  for (const PendingRequestPtr& pending : late) {
    const std::optional<Slot> second = SecondFor(*pending, now);
    if (!second || !hedges_.Affordable()) {
      continue;
    }
    hedges_.Spend();
    pending->hedge = second;
    pending->hedged = true;
    SendTo(*second, *pending, now, steps);
  }
}

std::optional<BootTime> RequestScheduler::NextWake() const {
  if (deadlines_.empty()) {
    return next_tick_;
  }
  const BootTime deadline = deadlines_.begin()->first;
  return next_tick_ ? std::min(*next_tick_, deadline) : deadline;
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
  if (pending->hedge) {
    --workers_[*pending->hedge].assigned;
  }
  return pending;
}

void RequestScheduler::GiveUp(const PendingRequest& pending, Steps& steps) {
  for (const std::optional<Slot>& slot : {pending.slot, pending.hedge}) {
    if (slot) {
      GiveUpOn(*slot, pending.id, steps);
    }
  }
}

// Tells a worker that has the request, and remembers the id, because the worker may still answer.
void RequestScheduler::GiveUpOn(Slot slot, RequestId id, Steps& steps) {
  Worker& worker = workers_[slot];
  worker.abandoned.insert(id);
  if (worker.abandoned.size() > kMaxAbandoned) {
    worker.forgotten_up_to = *worker.abandoned.begin();
    ++worker.forgotten;
    worker.abandoned.erase(worker.abandoned.begin());
  }
  steps.stops.push_back({slot, id});
}

}  // namespace baokms::supervisor
