#include "supervisor/kms/decrypt_desk.h"

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
#include "supervisor/workers/gateway.h"

namespace baokms::supervisor {

// One client's request.
class DecryptDesk::Call final : public KmsCall, public std::enable_shared_from_this<Call> {
 public:
  Call(DecryptDesk& desk, std::string_view uid, BootTime deadline, DecryptDone done)
      : desk_(desk),
        record_(desk.observers_, KmsMethod::kDecrypt, uid),
        deadline_(deadline),
        done_(std::move(done)) {}

  void Cancel() override { desk_.Leave(shared_from_this(), Cause::kCanceled); }

 private:
  friend class DecryptDesk;

  DecryptDesk& desk_;
  RequestRecord record_;
  BootTime deadline_;
  DecryptDone done_;
  FlightPtr flight_;    // guarded by the desk's mutex_; null: ended, or not on one yet
  bool leads_ = false;  // guarded likewise; not a follower
};

// One call to a worker, and everybody who waits for it.
struct DecryptDesk::Flight {
  v2::DecryptRequest request;  // never changed
  BootTime arrived{};          // of its first request
  Admission::Place place;      // until it lands
  BootTime deadline{};         // guarded by the desk's mutex_, as the next three
  std::vector<CallPtr> calls{};
  OperationId operation = 0;
  std::uint32_t version = 0;  // of the key; 0 until it is known
  bool looked_up = false;     // an unknown key_id is looked up once; one step at a time
};

DecryptDesk::DecryptDesk(EventLoop& loop,
                         Gateway& gateway,
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
DecryptDesk::~DecryptDesk() {
  for (const auto& [ciphertext, flight] : flights_) {
    for (const CallPtr& call : flight->calls) {
      call->flight_.reset();
    }
    flight->calls.clear();
  }
}

template <typename Step>
void DecryptDesk::Guarded(const FlightPtr& flight, Step step) {
  try {
    step();
  } catch (...) {
    Land(flight, {Cause::kPanic, 0, {}});
  }
}

KmsCallPtr DecryptDesk::Start(v2::DecryptRequest request, BootTime deadline, DecryptDone done) {
  const auto call = std::make_shared<Call>(*this, request.uid(), deadline, std::move(done));
  FlightPtr started;
  Cause cause = Cause::kPanic;
  try {
    cause = Board(call, std::move(request), started);
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

// Puts the call on a flight. `started` is that flight when it is a new one.
Cause DecryptDesk::Board(const CallPtr& call, v2::DecryptRequest request, FlightPtr& started) {
  const std::lock_guard lock(mutex_);
  if (const FlightPtr flight = FindEqual(request)) {
    return Join(call, flight);
  }
  std::optional<Admission::Place> place = admission_.TryEnter(KmsMethod::kDecrypt);
  if (!place) {
    return Cause::kConcurrency;
  }
  if (const Cause cause = CheckDecryptRequest(request); cause != Cause::kNone) {
    return cause;
  }
  started = std::make_shared<Flight>(
      Flight{std::move(request), BootNow(), *std::move(place), call->deadline_});
  started->calls.push_back(call);
  flights_.emplace(started->request.ciphertext(), started);
  call->flight_ = started;
  call->leads_ = true;
  return Cause::kNone;
}

Cause DecryptDesk::Join(const CallPtr& call, const FlightPtr& flight) {
  if (followers_ >= kMostFollowers) {
    return Cause::kConcurrency;
  }
  if (call->deadline_ < flight->deadline) {
    EndAt(call);
  }
  flight->calls.push_back(call);
  call->flight_ = flight;
  ++followers_;
  observers_.metrics.DecryptCoalesced();
  return Cause::kNone;
}

DecryptDesk::FlightPtr DecryptDesk::FindEqual(const v2::DecryptRequest& request) const {
  const auto [begin, end] = flights_.equal_range(request.ciphertext());
  const auto found = std::find_if(begin, end, [&](const Flights::value_type& entry) {
    return AskTheSame(entry.second->request, request);
  });
  return found == end ? nullptr : found->second;
}

void DecryptDesk::Advance(const FlightPtr& flight) {
  const std::shared_ptr<const StatusView> view = status_.View();
  const auto entry = view->decryptable.find(flight->request.key_id());
  if (entry != view->decryptable.end()) {
    AskWorker(flight, entry->second);
    return;
  }
  if (std::exchange(flight->looked_up, true)) {
    Land(flight, {Cause::kKeyIdUnknown, 0, {}});
    return;
  }
  BootTime deadline;
  {
    const std::lock_guard lock(mutex_);
    deadline = flight->deadline;
  }
  status_.Discover(flight->request.key_id(), flight->arrived, deadline,
                   [this, flight](DiscoveryOutcome outcome) {
                     Guarded(flight, [&] { OnDiscovered(flight, outcome); });
                   });
}

void DecryptDesk::OnDiscovered(const FlightPtr& flight, DiscoveryOutcome outcome) {
  switch (outcome) {
    case DiscoveryOutcome::kKnown:
      Advance(flight);
      return;
    case DiscoveryOutcome::kUnknown:
      Land(flight, {Cause::kKeyIdUnknown, 0, {}});
      return;
    case DiscoveryOutcome::kUnavailable:
      Land(flight, {Cause::kDiscoveryFailed, 0, {}});
      return;
  }
}

void DecryptDesk::AskWorker(const FlightPtr& flight, const DecryptableKey& key) {
  ipc::DecryptRequest request;
  request.set_key_id(flight->request.key_id());
  request.set_ciphertext(flight->request.ciphertext());
  for (const v2::Annotation& annotation : flight->request.annotations()) {
    ipc::IpcAnnotation& added = *request.add_annotations();
    added.set_key(annotation.key());
    added.set_value(annotation.value());
  }
  {
    const std::lock_guard lock(mutex_);
    if (flight->calls.empty()) {
      return;  // everybody has left
    }
    flight->version = key.version;
    request.set_deadline_ns(flight->deadline.count());
  }
  const OperationId operation = gateway_.Decrypt(
      std::move(request), WorkerChoice(), [this, flight](Reply<ipc::DecryptAnswer> reply) {
        Guarded(flight, [&] { OnAnswer(flight, std::move(reply)); });
      });
  const std::lock_guard lock(mutex_);
  flight->operation = operation;
}

void DecryptDesk::OnAnswer(const FlightPtr& flight, Reply<ipc::DecryptAnswer> reply) {
  std::string& plaintext = *reply.answer.mutable_plaintext();
  Landing landing{CauseOf(reply.answer.outcome(), KmsMethod::kDecrypt), 0,
                  contract::AsBytes(plaintext)};
  if (landing.cause == Cause::kNone && plaintext.empty()) {
    landing.cause = Cause::kBadAnswer;
  }
  Land(flight, landing);
  ::explicit_bzero(plaintext.data(), plaintext.size());
  CountReply(observers_.metrics, KmsMethod::kDecrypt, reply);
}

// Ends the flight for everybody on it, unless only its own time is over and somebody has more.
void DecryptDesk::Land(const FlightPtr& flight, const Landing& landing) {
  std::vector<CallPtr> ending;
  bool goes_on = false;
  Landing result = landing;
  {
    const std::lock_guard lock(mutex_);
    const bool failed = landing.cause != Cause::kNone && landing.cause != Cause::kPanic;
    if (landing.cause == Cause::kDeadline || (failed && BootNow() >= flight->deadline)) {
      result.cause = Cause::kDeadline;
      goes_on = GoOnForTheRest(*flight, ending);
    }
    if (!goes_on) {
      ending.swap(flight->calls);
      Remove(*flight);
    }
    result.version = flight->version;
    std::erase_if(ending, [](const CallPtr& call) { return call->flight_ == nullptr; });
    for (const CallPtr& call : ending) {
      call->flight_.reset();
      followers_ -= call->leads_ ? 0U : 1U;
    }
  }
  for (const CallPtr& call : ending) {
    Finish(*call, flight.get(), result);
  }
  if (goes_on) {
    Guarded(flight, [&] { Advance(flight); });
  }
}

// Under the lock: splits off those whose time is over with the flight's. False when nobody is left.
bool DecryptDesk::GoOnForTheRest(Flight& flight, std::vector<CallPtr>& late) {
  const BootTime over = std::max(BootNow(), flight.deadline);
  std::vector<CallPtr> rest;
  for (CallPtr& call : flight.calls) {
    (call->deadline_ <= over ? late : rest).push_back(std::move(call));
  }
  flight.calls.swap(rest);
  if (flight.calls.empty()) {
    flight.calls.swap(late);
    return false;
  }
  flight.deadline = (*std::ranges::max_element(flight.calls, {}, [](const CallPtr& call) {
                      return call->deadline_;
                    }))->deadline_;
  flight.looked_up = false;
  for (const CallPtr& call : flight.calls) {
    if (call->deadline_ < flight.deadline) {
      EndAt(call);
    }
  }
  return true;
}

// Under the lock. Nobody can join any more, and the place is free again.
void DecryptDesk::Remove(const Flight& flight) {
  const auto [begin, end] = flights_.equal_range(flight.request.ciphertext());
  const auto found = std::find_if(
      begin, end, [&](const Flights::value_type& entry) { return entry.second.get() == &flight; });
  if (found != end) {
    const Admission::Place released = std::move(found->second->place);
    flights_.erase(found);
  }
}

// One call ends by itself; the flight goes on for the others.
void DecryptDesk::Leave(const CallPtr& call, Cause cause) {
  OperationId stop = 0;
  FlightPtr flight;
  std::uint32_t version = 0;
  {
    const std::lock_guard lock(mutex_);
    flight = std::exchange(call->flight_, nullptr);
    if (flight == nullptr) {
      return;
    }
    version = flight->version;
    std::erase(flight->calls, call);
    followers_ -= call->leads_ ? 0U : 1U;
    if (flight->calls.empty()) {
      stop = flight->operation;
      Remove(*flight);
    }
  }
  if (stop != 0) {
    gateway_.Cancel(stop);
  }
  Finish(*call, flight.get(), {cause, version, {}});
}

void DecryptDesk::EndAt(const CallPtr& call) {
  loop_.Post([this, weak = std::weak_ptr<Call>(call), deadline = call->deadline_] {
    loop_.At(deadline, [this, weak] {
      if (const CallPtr late = weak.lock()) {
        Leave(late, Cause::kDeadline);
      }
    });
  });
}

void DecryptDesk::Finish(const Call& call, const Flight* flight, const Landing& landing) const {
  RequestDetails details;
  if (flight != nullptr) {
    details.key_id = flight->request.key_id();
    details.version = landing.version;
  }
  call.done_(ErrorFor(landing.cause), landing.plaintext);
  call.record_.Finish(landing.cause, details);
}

}  // namespace baokms::supervisor
