#include "supervisor/kms/decrypt_coalescer.h"

#include <algorithm>
#include <utility>

#include "supervisor/kms/admission.h"
#include "supervisor/kms/request_record.h"

namespace baokms::supervisor {

// One client's request.
class DecryptCoalescer::Waiter final : public KmsCall, public std::enable_shared_from_this<Waiter> {
 public:
  Waiter(DecryptCoalescer& coalescer, std::string_view uid, BootTime deadline, DecryptDone done)
      : coalescer_(coalescer),
        record_(coalescer.context_.observers, KmsMethod::kDecrypt, uid),
        deadline_(deadline),
        done_(std::move(done)) {}

  void Cancel() override { coalescer_.Leave(shared_from_this(), Cause::kCanceled); }

 private:
  friend class DecryptCoalescer;

  DecryptCoalescer& coalescer_;
  RequestRecord record_;
  BootTime deadline_;
  DecryptDone done_;
  SharedCallPtr shared_call_;  // guarded by the coalescer's mutex_; null: ended or not started
  bool leads_ = false;         // guarded by the coalescer's mutex_; false for a follower
};

// One call to a worker, and all requests that wait for it.
class DecryptCoalescer::SharedCall final : public DecryptCall {
 public:
  SharedCall(DecryptCoalescer& coalescer,
             v2::DecryptRequest request,
             AdmissionPermit permit,
             BootTime deadline)
      : DecryptCall(coalescer.context_, std::move(request)),
        coalescer_(coalescer),
        permit_(std::move(permit)),
        deadline_(deadline) {}

 private:
  friend class DecryptCoalescer;

  void OnEnd(const DecryptResult& result) override { coalescer_.Complete(*this, result); }

  DecryptCoalescer& coalescer_;
  AdmissionPermit permit_;  // this and the next two are guarded by the coalescer's mutex_
  BootTime deadline_;       // of the present attempt
  std::vector<WaiterPtr> waiters_{};
};

// Breaks the reference cycles: waiters and shared calls own each other until they complete.
DecryptCoalescer::~DecryptCoalescer() {
  for (const auto& [ciphertext, shared_call] : shared_calls_) {
    for (const WaiterPtr& waiter : shared_call->waiters_) {
      waiter->shared_call_.reset();
    }
    shared_call->waiters_.clear();
  }
}

KmsCallPtr DecryptCoalescer::Start(v2::DecryptRequest request,
                                   BootTime deadline,
                                   DecryptDone done) {
  const auto waiter = std::make_shared<Waiter>(*this, request.uid(), deadline, std::move(done));
  SharedCallPtr started;
  const Cause cause = Guarded([&] { return JoinOrAdmit(waiter, std::move(request), started); });
  if (cause != Cause::kNone) {
    Answer(*waiter, nullptr, {cause});
    return nullptr;
  }
  if (started != nullptr) {
    Ask(*started);
  }
  return waiter;
}

// Adds the request to a shared call. `started` is set to that call if it is a new one.
Cause DecryptCoalescer::JoinOrAdmit(const WaiterPtr& waiter,
                                    v2::DecryptRequest request,
                                    SharedCallPtr& started) {
  const std::lock_guard lock(mutex_);
  if (const SharedCallPtr shared_call = FindEqual(request)) {
    return Join(waiter, shared_call);
  }
  AdmissionPermit permit = context_.admission.TryEnter(KmsMethod::kDecrypt);
  if (permit == nullptr) {
    return Cause::kConcurrency;
  }
  if (const Cause cause = CheckDecryptRequest(request); cause != Cause::kNone) {
    return cause;
  }
  started =
      std::make_shared<SharedCall>(*this, std::move(request), std::move(permit), waiter->deadline_);
  started->waiters_.push_back(waiter);
  shared_calls_.emplace(started->request().ciphertext(), started);
  waiter->shared_call_ = started;
  waiter->leads_ = true;
  return Cause::kNone;
}

Cause DecryptCoalescer::Join(const WaiterPtr& waiter, const SharedCallPtr& shared_call) {
  if (followers_ >= kMaxFollowers) {
    return Cause::kConcurrency;
  }
  if (waiter->deadline_ < shared_call->deadline_) {
    LeaveAt(waiter);
  }
  shared_call->waiters_.push_back(waiter);
  waiter->shared_call_ = shared_call;
  ++followers_;
  context_.observers.metrics.DecryptCoalesced();
  return Cause::kNone;
}

DecryptCoalescer::SharedCallPtr DecryptCoalescer::FindEqual(
    const v2::DecryptRequest& request) const {
  const auto [begin, end] = shared_calls_.equal_range(request.ciphertext());
  const auto found = std::find_if(begin, end, [&](const SharedCalls::value_type& entry) {
    return AskTheSame(entry.second->request(), request);
  });
  return found == end ? nullptr : found->second;
}

void DecryptCoalescer::Ask(SharedCall& shared_call) {
  BootTime deadline{};
  {
    const std::lock_guard lock(mutex_);
    if (shared_call.waiters_.empty()) {
      return;  // every waiter has left
    }
    deadline = shared_call.deadline_;
    shared_call.Reopen();
  }
  shared_call.Start(deadline);
}

// Answers all waiters of the shared call. If only the shared call's deadline passed, waiters with a
// later deadline continue.
void DecryptCoalescer::Complete(SharedCall& shared_call, DecryptResult result) {
  std::vector<WaiterPtr> ending;
  bool continues = false;
  {
    const std::lock_guard lock(mutex_);
    const bool failed = result.cause != Cause::kNone && result.cause != Cause::kPanic;
    if (result.cause == Cause::kDeadline || (failed && BootNow() >= shared_call.deadline_)) {
      result.cause = Cause::kDeadline;
      continues = ContinueForTheRest(shared_call, ending);
    }
    if (!continues) {
      ending.swap(shared_call.waiters_);
      Remove(shared_call);
    }
    for (const WaiterPtr& waiter : ending) {
      waiter->shared_call_.reset();
      followers_ -= waiter->leads_ ? 0U : 1U;
    }
  }
  for (const WaiterPtr& waiter : ending) {
    Answer(*waiter, &shared_call, result);
  }
  if (continues) {
    // Posted, because the step that ended the call is not over yet.
    loop_.Post([this, &shared_call, self = shared_call.shared_from_this()] { Ask(shared_call); });
  }
}

// Must hold the lock. Splits off the waiters whose deadline passed together with the shared call's.
// Returns false if no waiter is left.
bool DecryptCoalescer::ContinueForTheRest(SharedCall& shared_call, std::vector<WaiterPtr>& late) {
  const BootTime over = std::max(BootNow(), shared_call.deadline_);
  std::vector<WaiterPtr> rest;
  for (WaiterPtr& waiter : shared_call.waiters_) {
    (waiter->deadline_ <= over ? late : rest).push_back(std::move(waiter));
  }
  shared_call.waiters_.swap(rest);
  if (shared_call.waiters_.empty()) {
    shared_call.waiters_.swap(late);
    return false;
  }
  const auto by_deadline = [](const WaiterPtr& waiter) {
    return waiter->deadline_;
  };
  shared_call.deadline_ =
      (*std::ranges::max_element(shared_call.waiters_, {}, by_deadline))->deadline_;
  for (const WaiterPtr& waiter : shared_call.waiters_) {
    if (waiter->deadline_ < shared_call.deadline_) {
      LeaveAt(waiter);
    }
  }
  return true;
}

// Must hold the lock. Closes the shared call to new waiters and returns its permit.
void DecryptCoalescer::Remove(const SharedCall& shared_call) {
  const auto [begin, end] = shared_calls_.equal_range(shared_call.request().ciphertext());
  const auto found = std::find_if(begin, end, [&](const SharedCalls::value_type& entry) {
    return entry.second.get() == &shared_call;
  });
  if (found != end) {
    found->second->permit_.reset();
    shared_calls_.erase(found);
  }
}

// Ends one request; the shared call continues for the others.
void DecryptCoalescer::Leave(const WaiterPtr& waiter, Cause cause) {
  SharedCallPtr shared_call;
  bool was_last = false;
  {
    const std::lock_guard lock(mutex_);
    shared_call = std::exchange(waiter->shared_call_, nullptr);
    if (shared_call == nullptr) {
      return;
    }
    std::erase(shared_call->waiters_, waiter);
    followers_ -= waiter->leads_ ? 0U : 1U;
    was_last = shared_call->waiters_.empty();
    if (was_last) {
      Remove(*shared_call);
    }
  }
  if (was_last) {
    shared_call->Cancel();
  }
  Answer(*waiter, shared_call.get(), {cause, shared_call->version()});
}

void DecryptCoalescer::LeaveAt(const WaiterPtr& waiter) {
  loop_.Post([this, weak = std::weak_ptr<Waiter>(waiter), deadline = waiter->deadline_] {
    loop_.At(deadline, [this, weak] {
      if (const WaiterPtr late = weak.lock()) {
        Leave(late, Cause::kDeadline);
      }
    });
  });
}

void DecryptCoalescer::Answer(const Waiter& waiter,
                              const SharedCall* shared_call,
                              const DecryptResult& result) const {
  RequestDetails details;
  if (shared_call != nullptr) {
    details.key_id = shared_call->request().key_id();
    details.version = result.version;
  }
  waiter.done_(ErrorFor(result.cause), result.plaintext);
  waiter.record_.Finish(result.cause, details);
}

}  // namespace baokms::supervisor
