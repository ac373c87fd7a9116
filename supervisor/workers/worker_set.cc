#include "supervisor/workers/worker_set.h"

#include <variant>

#include "common/base/error.h"
#include "ipc/message_type.h"
#include "supervisor/spawner/child_key.h"

namespace baokms::supervisor {
namespace {

using ipc::MessageType;

RequestId IdOf(const AnyAnswer& answer) {
  return std::visit([](const auto& typed) { return typed.id(); }, answer);
}

ipc::Outcome OutcomeOf(const AnyAnswer& answer) {
  return std::visit([](const auto& typed) { return typed.outcome(); }, answer);
}

}  // namespace

WorkerSet::WorkerSet(EventLoop& loop,
                     WorkerEvents& events,
                     std::size_t workers,
                     SessionTimeouts limits)
    : loop_(loop),
      events_(events),
      scheduler_(workers),
      channels_(workers),
      states_(workers),
      sessions_(loop, events, *this, workers, limits) {
  for (std::size_t slot = 0; slot < workers; ++slot) {
    states_[slot].slot = static_cast<Slot>(slot);
  }
}

WorkerSet::~WorkerSet() {
  *self_ = nullptr;
  loop_.Cancel(timer_);
}

template <typename Event>
void WorkerSet::Handle(CallbackFrom from, const Event& event) {
  Work work;
  {
    const std::lock_guard lock(mutex_);
    work = Locked(event());
  }
  Do(std::move(work), from);
}

RequestId WorkerSet::SubmitAny(AnyRequest request, WorkerChoice choice, AnyDone done) {
  const RequestId id = ++last_id_;
  PendingRequestPtr pending = MakePending(id, std::move(request), choice, std::move(done));
  Handle(CallbackFrom::kLoop, [&] { return scheduler_.Submit(std::move(pending), BootNow()); });
  return id;
}

// Must hold the lock. Adds what is needed to carry out the steps.
WorkerSet::Work WorkerSet::Locked(RequestScheduler::Steps steps) {
  Work work;
  if (!steps.sends.empty() || !steps.stops.empty() || !steps.pings.empty()) {
    work.channels = channels_;
  }
  for (RequestScheduler::Ended& ended : steps.ended) {
    const std::optional<Slot> slot = ended.pending->slot;
    const WorkerProcess worker =
        slot ? WorkerProcess{*slot, states_[*slot].process} : WorkerProcess();
    work.failed.push_back({std::move(ended.pending), ended.outcome, worker});
  }
  work.steps = std::move(steps);
  const std::optional<BootTime> next = scheduler_.NextWake();
  if (next && (!armed_for_ || *next < *armed_for_)) {
    armed_for_ = next;
    work.arm = next;
  }
  return work;
}

void WorkerSet::Do(Work work, CallbackFrom from) {
  for (const RequestScheduler::Send& send : work.steps.sends) {
    if (const auto& channel = work.channels[send.slot]) {
      SendOne(send, *channel);
    }
  }
  for (const RequestScheduler::Stop& stop : work.steps.stops) {
    if (const auto& channel = work.channels[stop.slot]) {
      ipc::CancelRequest request;
      request.set_id(stop.id);
      // Best effort: a worker that cannot receive it completes the request anyway or has exited.
      (void)channel->Send(MessageType::kCancelRequest, request).has_value();
    }
  }
  for (const Slot slot : work.steps.pings) {
    if (const auto& channel = work.channels[slot]) {
      channel->Ping();
    }
  }
  for (const Slot slot : work.steps.kills) {
    events_.OnSilent(slot);
  }
  if (work.arm) {
    Post([this, when = *work.arm] { ArmTimer(when); });
  }
  for (const Failed& failed : work.failed) {
    if (from == CallbackFrom::kHere) {
      Fail(*failed.pending, failed.outcome, failed.worker, BootNow());
    } else {
      Post([failed] { Fail(*failed.pending, failed.outcome, failed.worker, BootNow()); });
    }
  }
}

void WorkerSet::SendOne(const RequestScheduler::Send& send, ChildChannel& channel) {
  const Status sent = channel.Send(send.type, *send.request);
  if (sent || sent.error().code() == ErrorCode::kUnavailable) {
    return;  // the channel reports a worker that is gone, and the request moves on
  }
  Post([this, id = send.id] {
    Handle(CallbackFrom::kHere,
           [&] { return scheduler_.Abort(id, ipc::OUTCOME_OVERLOADED, BootNow()); });
  });
}

void WorkerSet::Cancel(RequestId request) {
  Handle(CallbackFrom::kLoop, [&] { return scheduler_.Cancel(request, BootNow()); });
}

// The channel is closed later, because this may be called while one of its messages is handled.
void WorkerSet::Replace(const WorkerProcess& worker) {
  {
    const std::lock_guard lock(mutex_);
    if (worker.slot >= states_.size() || states_[worker.slot].process != worker.number) {
      return;
    }
    LeaveLocked(worker.slot);
    scheduler_.WorkerReplaced(worker.slot, BootNow());
  }
  Post([this, who = ChildProcess{WorkerKey(worker.slot), worker.number}] {
    sessions_.Reject(who, Error(ErrorCode::kFailedPrecondition, "another worker contradicts it"));
  });
}

void WorkerSet::PublishKeyTable(ipc::KeyTable table, std::function<void()> done) {
  Post(
      [this, table = std::move(table), done = std::move(done)] { sessions_.Publish(table, done); });
}

std::vector<WorkerState> WorkerSet::Workers() const {
  const std::lock_guard lock(mutex_);
  std::vector<WorkerState> states = states_;
  for (WorkerState& state : states) {
    state.lost = scheduler_.IsLost(state.slot, BootNow());
  }
  return states;
}

void WorkerSet::Post(std::function<void()> task) {
  loop_.Post([self = self_, task = std::move(task)] {
    if (*self != nullptr) {
      task();
    }
  });
}

void WorkerSet::ArmTimer(BootTime when) {
  loop_.Cancel(timer_);
  timer_ = loop_.At(when, [this] { OnTimer(); });
}

// The timer is set for what was the earliest time at that moment. Most requests have ended by then,
// so it often finds nothing to do and only sets itself again.
void WorkerSet::OnTimer() {
  timer_ = 0;
  Handle(CallbackFrom::kHere, [this] {
    armed_for_.reset();
    return scheduler_.Advance(BootNow());
  });
}

void WorkerSet::OnWorkerReady(const ChildProcess& who, std::shared_ptr<ChildChannel> channel) {
  const Slot slot = who.key.slot;
  Handle(CallbackFrom::kHere, [&] {
    channels_[slot] = std::move(channel);
    states_[slot].process = who.number;
    states_[slot].ready = true;
    return scheduler_.WorkerReady(slot, BootNow());
  });
}

void WorkerSet::OnTableAcknowledged(const ChildProcess& who, const ipc::KeyTableAnswer& answer) {
  const std::lock_guard lock(mutex_);
  states_[who.key.slot].active_verified = answer.active_verified();
}

Status WorkerSet::OnWorkerAnswer(const ChildProcess& who, AnyAnswer answer) {
  Work work;
  PendingRequestPtr pending;
  const BootTime now = BootNow();
  const RequestScheduler::AnswerFacts facts = {.kind = answer.index(),
                                               .outcome = OutcomeOf(answer)};
  {
    const std::lock_guard lock(mutex_);
    RequestScheduler::Answered answered =
        BAOKMS_TRY(scheduler_.Answer(who.key.slot, IdOf(answer), facts, now));
    pending = std::move(answered.pending);
    work = Locked(std::move(answered.steps));
  }
  if (pending != nullptr) {
    Complete(*pending, std::move(answer), {who.key.slot, who.number}, now);
  }
  Do(std::move(work), CallbackFrom::kHere);
  return {};
}

void WorkerSet::OnWorkerPong(const ChildProcess& who) {
  Handle(CallbackFrom::kHere, [&] { return scheduler_.WorkerPong(who.key.slot, BootNow()); });
}

void WorkerSet::OnWorkerToken(const ChildProcess& who, const ipc::TokenStatus& status) {
  const std::lock_guard lock(mutex_);
  WorkerState& state = states_[who.key.slot];
  state.token_usable = status.usable();
  scheduler_.WorkerToken(who.key.slot, status.usable());
  state.token_expires.reset();
  if (status.usable() && status.expires_boottime_ns() > 0) {
    state.token_expires = BootTime(status.expires_boottime_ns());
  }
  state.last_login = status.last_outcome();
}

void WorkerSet::OnWorkerLeaving(const ChildProcess& who) {
  const std::lock_guard lock(mutex_);
  LeaveLocked(who.key.slot);
}

// Must hold the lock. The worker receives nothing from now on.
void WorkerSet::LeaveLocked(Slot slot) {
  channels_[slot].reset();
  states_[slot] = WorkerState();
  states_[slot].slot = slot;
  scheduler_.WorkerLeaving(slot);
}

void WorkerSet::OnWorkerGone(const ChildProcess& who, WorkerEnd end) {
  Handle(CallbackFrom::kHere, [&] { return scheduler_.WorkerGone(who.key.slot, end, BootNow()); });
}

}  // namespace baokms::supervisor
