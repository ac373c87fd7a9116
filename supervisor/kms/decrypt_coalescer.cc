#include "supervisor/kms/decrypt_coalescer.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include <strings.h>

#include <utility>
#include <vector>

#include "common/base/clock.h"
#include "common/base/event_loop.h"
#include "common/contract/encoding.h"
#include "proto/ipc.pb.h"
#include "proto/kms_v2.pb.h"
#include "supervisor/kms/admission.h"
#include "supervisor/kms/decrypt_checks.h"
#include "supervisor/kms/error_policy.h"
#include "supervisor/kms/kms_call.h"
#include "supervisor/kms/request_record.h"
#include "supervisor/status/status_source.h"
#include "supervisor/workers/worker_pool.h"

namespace baokms::supervisor {

// One client's request.
class DecryptCoalescer::Call final : public KmsCall, public std::enable_shared_from_this<Call> {
 public:
  Call(DecryptCoalescer& desk, std::string_view uid, BootTime deadline, DecryptDone done)
      : desk_(desk),
        record_(desk.observers_, KmsMethod::kDecrypt, uid),
        deadline_(deadline),
        done_(std::move(done)) {}

  void Cancel() override { desk_.Leave(shared_from_this(), Cause::kCanceled); }

 private:
  friend class DecryptCoalescer;

  DecryptCoalescer& desk_;
  RequestRecord record_;
  BootTime deadline_;
  DecryptDone done_;
  SharedCallPtr shared_call_;  // guarded by the desk's mutex_; null: ended, or not on one yet
  bool leads_ = false;         // guarded likewise; not a follower
};

// One call to a worker, and everybody who waits for it.
struct DecryptCoalescer::SharedCall {
  v2::DecryptRequest request;         // never changed
  BootTime arrived{};                 // of its first request
  Admission::AdmissionPermit permit;  // until it lands
  BootTime deadline{};                // guarded by the desk's mutex_, as the next three
  std::vector<CallPtr> calls{};
  OperationId operation = 0;
  std::uint32_t version = 0;  // of the key; 0 until it is known
  bool looked_up = false;     // an unknown key_id is looked up once; one step at a time
};

DecryptCoalescer::DecryptCoalescer(EventLoop& loop,
                                   WorkerPool& gateway,
                                   StatusSource& status,
                                   Admission& admission,
                                   const Observers& observers)
    : loop_(loop),
      gateway_(gateway),
      status_(status),
      admission_(admission),
      observers_(observers) {
}

// Calls and flights own each other until they land.
DecryptCoalescer::~DecryptCoalescer() {
  for (const auto& [ciphertext, shared_call] : shared_calls_) {
    for (const CallPtr& call : shared_call->calls) {
      call->shared_call_.reset();
    }
    shared_call->calls.clear();
  }
}

template <typename Step>
void DecryptCoalescer::Guarded(const SharedCallPtr& shared_call, Step step) {
  try {
    step();
  } catch (...) {
    Complete(shared_call, {Cause::kPanic, 0, {}});
  }
}

KmsCallPtr DecryptCoalescer::Start(v2::DecryptRequest request,
                                   BootTime deadline,
                                   DecryptDone done) {
  const auto call = std::make_shared<Call>(*this, request.uid(), deadline, std::move(done));
  SharedCallPtr started;
  Cause cause = Cause::kPanic;
  try {
    cause = Join(call, std::move(request), started);
  } catch (...) {
    started.reset();
  }
  if (cause != Cause::kNone) {
    Finish(*call, nullptr, {cause, 0, {}});
    return nullptr;
  }
  if (started != nullptr) {
    Guarded(started, [&] { Advance(started); });
  }
  return call;
}

// Puts the call on a shared_call. `started` is that shared_call when it is a new one.
Cause DecryptCoalescer::Join(const CallPtr& call,
                             v2::DecryptRequest request,
                             SharedCallPtr& started) {
  const std::lock_guard lock(mutex_);
  if (const SharedCallPtr shared_call = FindEqual(request)) {
    return Join(call, shared_call);
  }
  std::optional<Admission::AdmissionPermit> permit = admission_.TryEnter(KmsMethod::kDecrypt);
  if (!permit) {
    return Cause::kConcurrency;
  }
  if (const Cause cause = CheckDecryptRequest(request); cause != Cause::kNone) {
    return cause;
  }
  started = std::make_shared<SharedCall>(
      SharedCall{std::move(request), BootNow(), *std::move(permit), call->deadline_});
  started->calls.push_back(call);
  shared_calls_.emplace(started->request.ciphertext(), started);
  call->shared_call_ = started;
  call->leads_ = true;
  return Cause::kNone;
}

Cause DecryptCoalescer::Join(const CallPtr& call, const SharedCallPtr& shared_call) {
  if (followers_ >= kMostFollowers) {
    return Cause::kConcurrency;
  }
  if (call->deadline_ < shared_call->deadline) {
    EndAt(call);
  }
  shared_call->calls.push_back(call);
  call->shared_call_ = shared_call;
  ++followers_;
  observers_.metrics.DecryptCoalesced();
  return Cause::kNone;
}

DecryptCoalescer::SharedCallPtr DecryptCoalescer::FindEqual(
    const v2::DecryptRequest& request) const {
  const auto [begin, end] = shared_calls_.equal_range(request.ciphertext());
  const auto found = std::find_if(begin, end, [&](const Flights::value_type& entry) {
    return AskTheSame(entry.second->request, request);
  });
  return found == end ? nullptr : found->second;
}

void DecryptCoalescer::Advance(const SharedCallPtr& shared_call) {
  const std::shared_ptr<const StatusView> view = status_.View();
  const auto entry = view->decryptable.find(shared_call->request.key_id());
  if (entry != view->decryptable.end()) {
    AskWorker(shared_call, entry->second);
    return;
  }
  if (std::exchange(shared_call->looked_up, true)) {
    Complete(shared_call, {Cause::kKeyIdUnknown, 0, {}});
    return;
  }
  BootTime deadline;
  {
    const std::lock_guard lock(mutex_);
    deadline = shared_call->deadline;
  }
  status_.Discover(shared_call->request.key_id(), shared_call->arrived, deadline,
                   [this, shared_call](DiscoveryOutcome outcome) {
                     Guarded(shared_call, [&] { OnDiscovered(shared_call, outcome); });
                   });
}

void DecryptCoalescer::OnDiscovered(const SharedCallPtr& shared_call, DiscoveryOutcome outcome) {
  switch (outcome) {
    case DiscoveryOutcome::kKnown:
      Advance(shared_call);
      return;
    case DiscoveryOutcome::kUnknown:
      Complete(shared_call, {Cause::kKeyIdUnknown, 0, {}});
      return;
    case DiscoveryOutcome::kUnavailable:
      Complete(shared_call, {Cause::kDiscoveryFailed, 0, {}});
      return;
  }
}

void DecryptCoalescer::AskWorker(const SharedCallPtr& shared_call, const DecryptableKey& key) {
  ipc::DecryptRequest request;
  request.set_key_id(shared_call->request.key_id());
  request.set_ciphertext(shared_call->request.ciphertext());
  for (const v2::Annotation& annotation : shared_call->request.annotations()) {
    ipc::IpcAnnotation& added = *request.add_annotations();
    added.set_key(annotation.key());
    added.set_value(annotation.value());
  }
  {
    const std::lock_guard lock(mutex_);
    if (shared_call->calls.empty()) {
      return;  // everybody has left
    }
    shared_call->version = key.version;
    request.set_deadline_ns(shared_call->deadline.count());
  }
  const OperationId operation = gateway_.Decrypt(
      std::move(request), WorkerChoice(), [this, shared_call](Reply<ipc::DecryptAnswer> reply) {
        Guarded(shared_call, [&] { OnAnswer(shared_call, std::move(reply)); });
      });
  const std::lock_guard lock(mutex_);
  shared_call->operation = operation;
}

void DecryptCoalescer::OnAnswer(const SharedCallPtr& shared_call, Reply<ipc::DecryptAnswer> reply) {
  std::string& plaintext = *reply.answer.mutable_plaintext();
  Completion completion{CauseOf(reply.answer.outcome(), KmsMethod::kDecrypt), 0,
                        contract::AsBytes(plaintext)};
  if (completion.cause == Cause::kNone && plaintext.empty()) {
    completion.cause = Cause::kBadAnswer;
  }
  Complete(shared_call, completion);
  ::explicit_bzero(plaintext.data(), plaintext.size());
  CountReply(observers_.metrics, KmsMethod::kDecrypt, reply);
}

// Ends the shared_call for everybody on it, unless only its own time is over and somebody has more.
void DecryptCoalescer::Complete(const SharedCallPtr& shared_call, const Completion& completion) {
  std::vector<CallPtr> ending;
  bool goes_on = false;
  Completion result = completion;
  {
    const std::lock_guard lock(mutex_);
    const bool failed = completion.cause != Cause::kNone && completion.cause != Cause::kPanic;
    if (completion.cause == Cause::kDeadline || (failed && BootNow() >= shared_call->deadline)) {
      result.cause = Cause::kDeadline;
      goes_on = GoOnForTheRest(*shared_call, ending);
    }
    if (!goes_on) {
      ending.swap(shared_call->calls);
      Remove(*shared_call);
    }
    result.version = shared_call->version;
    std::erase_if(ending, [](const CallPtr& call) { return call->shared_call_ == nullptr; });
    for (const CallPtr& call : ending) {
      call->shared_call_.reset();
      followers_ -= call->leads_ ? 0U : 1U;
    }
  }
  for (const CallPtr& call : ending) {
    Finish(*call, shared_call.get(), result);
  }
  if (goes_on) {
    Guarded(shared_call, [&] { Advance(shared_call); });
  }
}

// Under the lock: splits off those whose time is over with the shared_call's. False when nobody is
// left.
bool DecryptCoalescer::GoOnForTheRest(SharedCall& shared_call, std::vector<CallPtr>& late) {
  const BootTime over = std::max(BootNow(), shared_call.deadline);
  std::vector<CallPtr> rest;
  for (CallPtr& call : shared_call.calls) {
    (call->deadline_ <= over ? late : rest).push_back(std::move(call));
  }
  shared_call.calls.swap(rest);
  if (shared_call.calls.empty()) {
    shared_call.calls.swap(late);
    return false;
  }
  shared_call.deadline = (*std::ranges::max_element(shared_call.calls, {}, [](const CallPtr& call) {
                           return call->deadline_;
                         }))->deadline_;
  shared_call.looked_up = false;
  for (const CallPtr& call : shared_call.calls) {
    if (call->deadline_ < shared_call.deadline) {
      EndAt(call);
    }
  }
  return true;
}

// Under the lock. Nobody can join any more, and the place is free again.
void DecryptCoalescer::Remove(const SharedCall& shared_call) {
  const auto [begin, end] = shared_calls_.equal_range(shared_call.request.ciphertext());
  const auto found = std::find_if(begin, end, [&](const Flights::value_type& entry) {
    return entry.second.get() == &shared_call;
  });
  if (found != end) {
    const Admission::AdmissionPermit released = std::move(found->second->permit);
    shared_calls_.erase(found);
  }
}

// One call ends by itself; the shared_call goes on for the others.
void DecryptCoalescer::Leave(const CallPtr& call, Cause cause) {
  OperationId stop = 0;
  SharedCallPtr shared_call;
  std::uint32_t version = 0;
  {
    const std::lock_guard lock(mutex_);
    shared_call = std::exchange(call->shared_call_, nullptr);
    if (shared_call == nullptr) {
      return;
    }
    version = shared_call->version;
    std::erase(shared_call->calls, call);
    followers_ -= call->leads_ ? 0U : 1U;
    if (shared_call->calls.empty()) {
      stop = shared_call->operation;
      Remove(*shared_call);
    }
  }
  if (stop != 0) {
    gateway_.Cancel(stop);
  }
  Finish(*call, shared_call.get(), {cause, version, {}});
}

void DecryptCoalescer::EndAt(const CallPtr& call) {
  loop_.Post([this, weak = std::weak_ptr<Call>(call), deadline = call->deadline_] {
    loop_.At(deadline, [this, weak] {
      if (const CallPtr late = weak.lock()) {
        Leave(late, Cause::kDeadline);
      }
    });
  });
}

void DecryptCoalescer::Finish(const Call& call,
                              const SharedCall* shared_call,
                              const Completion& completion) const {
  RequestDetails details;
  if (shared_call != nullptr) {
    details.key_id = shared_call->request.key_id();
    details.version = completion.version;
  }
  call.done_(ErrorFor(completion.cause), completion.plaintext);
  call.record_.Finish(completion.cause, details);
}

}  // namespace baokms::supervisor
