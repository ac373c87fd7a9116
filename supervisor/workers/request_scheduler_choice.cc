// Which worker a request goes to.

#include <cstddef>
#include <optional>
#include <tuple>

#include "supervisor/workers/request_scheduler.h"

namespace baokms::supervisor {

bool RequestScheduler::IsFree(Slot slot) const {
  const Worker& worker = workers_[slot];
  return worker.ready && !worker.silence.stopped() && (!trial_ || trial_->slot != slot);
}

// A request that crashed a worker while it was on trial is tried only by one that came later.
bool RequestScheduler::IsFreeFor(const PendingRequest& pending, Slot slot) const {
  return IsFree(slot) &&
         (pending.crashes == 0 || workers_[slot].start > pending.started_before_crash);
}

bool RequestScheduler::IsLost(Slot slot, BootTime now) const {
  const Worker& worker = workers_[slot];
  return worker.silence.stopped() || worker.leaving ||
         (worker.killed_at && now - *worker.killed_at < kLostFor);
}

// Returns whether the condition holds for any other worker.
template <typename Condition>
bool RequestScheduler::AnyBut(Slot slot, const Condition& holds) const {
  for (Slot other = 0; other < workers_.size(); ++other) {
    if (other != slot && holds(other)) {
      return true;
    }
  }
  return false;
}

bool RequestScheduler::Hangs(Slot slot, BootTime now) const {
  const Worker& worker = workers_[slot];
  return !worker.abandoned.empty() && now - worker.heard >= kSilence;
}

bool RequestScheduler::FailedLately(Slot slot, BootTime now) const {
  const Worker& worker = workers_[slot];
  return worker.failed_at && now - *worker.failed_at < kFailedFor;
}

// Among equally loaded workers, chooses the one that served the last free choice: its caches and
// its connection are warm, which makes a lone Decrypt faster than round-robin. Cancelled requests
// without an answer still count as load, because a stuck worker must not look idle. A hanging
// worker is chosen last, however small its load is, and so is one without a token, where a request
// would wait for a login, or one that failed lately. A worker that had this request before and
// still owes its answer is not chosen: the two answers could not be told apart.
template <typename Allowed>
std::optional<Slot> RequestScheduler::LeastBusy(const PendingRequest& pending,
                                                BootTime now,
                                                const Allowed& allowed) const {
  std::optional<Slot> best;
  std::tuple<bool, bool, std::size_t> least;
  for (std::size_t i = 0; i < workers_.size(); ++i) {
    const auto slot = static_cast<Slot>((first_slot_ + i) % workers_.size());
    const Worker& worker = workers_[slot];
    const bool useless = !worker.token || FailedLately(slot, now);
    const std::tuple load(Hangs(slot, now), useless, worker.Load());
    const bool may =
        IsFreeFor(pending, slot) && !worker.abandoned.contains(pending.id) && allowed(slot);
    if (may && (!best || load < least)) {
      best = slot;
      least = load;
    }
  }
  return best;
}

RequestScheduler::Picked RequestScheduler::Pick(const PendingRequest& pending, BootTime now) const {
  const WorkerChoice& choice = pending.choice;
  if (choice.not_this && !choice.only) {
    return PickAnother(pending, now);
  }
  if (!choice.only) {
    const std::optional<Slot> best = LeastBusy(pending, now, [](Slot) { return true; });
    return best ? Picked{Choice::kTake, *best} : Picked{Choice::kWait};
  }
  if (*choice.only >= workers_.size() || !workers_[*choice.only].ready) {
    return {Choice::kNever};
  }
  return {IsFreeFor(pending, *choice.only) ? Choice::kTake : Choice::kWait, *choice.only};
}

// With kSameWorker, the same worker is taken only if no other one runs, so that a second worker
// that cannot start keeps no API server from starting. One that was killed or stopped is waited
// for, and one that hangs is asked: whoever does that to a worker must not gain that the others are
// believed without it. With kSameIfOthersHang, nothing is at stake but the answer.
RequestScheduler::Picked RequestScheduler::PickAnother(const PendingRequest& pending,
                                                       BootTime now) const {
  const Slot same = *pending.choice.not_this;
  using enum WorkerChoice::Fallback;
  const WorkerChoice::Fallback fallback = pending.choice.fallback;
  const bool same_is_free = same < workers_.size() && IsFreeFor(pending, same);
  const auto is_another = [same](Slot slot) {
    return slot != same;
  };
  const bool other_lost = AnyBut(same, [&](Slot slot) { return IsLost(slot, now); });
  if (const std::optional<Slot> best = LeastBusy(pending, now, is_another)) {
    const bool hangs = Hangs(*best, now) && !other_lost;
    if (fallback == kSameIfOthersHang && hangs && same_is_free && !Hangs(same, now)) {
      return {Choice::kTakeFresh, same};
    }
    return {Choice::kTake, *best};
  }
  if (other_lost || AnyBut(same, [this](Slot slot) { return workers_[slot].ready; })) {
    return {Choice::kWait};
  }
  if (fallback == kFail) {
    return {Choice::kNever};
  }
  return {same_is_free ? Choice::kTakeFresh : Choice::kWait, same};
}

// Returns the worker that may get a second copy, or a second try: one that could answer at once.
std::optional<Slot> RequestScheduler::SecondFor(const PendingRequest& pending, BootTime now) const {
  if (pending.choice.only || pending.trust != PendingRequest::Trust::kNormal) {
    return std::nullopt;
  }
  return LeastBusy(pending, now, [&](Slot slot) {
    return slot != *pending.slot && slot != pending.choice.not_this && workers_[slot].token &&
           !Hangs(slot, now) && !FailedLately(slot, now);
  });
}

}  // namespace baokms::supervisor
