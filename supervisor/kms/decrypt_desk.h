// Decrypt requests: equal ones that are in progress at the same time become one call to a worker.
// Each keeps its own deadline and its own client; what one of them suffers does not reach another.

#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "common/base/clock.h"
#include "common/base/event_loop.h"
#include "proto/ipc.pb.h"
#include "proto/kms_v2.pb.h"
#include "supervisor/kms/admission.h"
#include "supervisor/kms/kms_call.h"
#include "supervisor/kms/request_record.h"
#include "supervisor/status/status_source.h"
#include "supervisor/workers/gateway.h"

namespace baokms::supervisor {

// Callable from any thread.
class DecryptDesk final {
 public:
  // Requests that share the call of another one, over all calls. They take no place of their own,
  // so this is what bounds them.
  static constexpr std::size_t kMostFollowers = 1024;

  // Everything passed by reference must outlive the desk.
  DecryptDesk(EventLoop& loop,
              Gateway& gateway,
              StatusSource& status,
              Admission& admission,
              const Observers& observers);
  DecryptDesk(const DecryptDesk&) = delete;
  DecryptDesk& operator=(const DecryptDesk&) = delete;
  // What is still in progress never ends.
  ~DecryptDesk();

  // Joins an equal request or starts a call of its own. `request` is taken over.
  KmsCallPtr Start(v2::DecryptRequest request, BootTime deadline, DecryptDone done);

 private:
  class Call;
  struct Flight;
  using CallPtr = std::shared_ptr<Call>;
  using FlightPtr = std::shared_ptr<Flight>;
  // By ciphertext, which lives in the flight. Annotations and key_id are compared after it.
  using Flights = std::unordered_multimap<std::string_view, FlightPtr>;

  // What became of a flight.
  struct Landing {
    Cause cause = Cause::kNone;
    std::uint32_t version = 0;
    std::span<const std::uint8_t> plaintext;
  };

  Cause Board(const CallPtr& call, v2::DecryptRequest request, FlightPtr& started);
  Cause Join(const CallPtr& call, const FlightPtr& flight);
  FlightPtr FindEqual(const v2::DecryptRequest& request) const;
  void Advance(const FlightPtr& flight);
  void OnDiscovered(const FlightPtr& flight, DiscoveryOutcome outcome);
  void AskWorker(const FlightPtr& flight, const DecryptableKey& key);
  void OnAnswer(const FlightPtr& flight, Reply<ipc::DecryptAnswer> reply);
  void Land(const FlightPtr& flight, const Landing& landing);
  bool GoOnForTheRest(Flight& flight, std::vector<CallPtr>& late);
  void Remove(const Flight& flight);
  void Leave(const CallPtr& call, Cause cause);
  void EndAt(const CallPtr& call);
  void Finish(const Call& call, const Flight* flight, const Landing& landing) const;

  // Runs one step; whatever it throws ends everybody on the flight.
  template <typename Step>
  void Guarded(const FlightPtr& flight, Step step);

  EventLoop& loop_;
  Gateway& gateway_;
  StatusSource& status_;
  Admission& admission_;
  const Observers& observers_;
  std::mutex mutex_;
  Flights flights_;            // guarded by mutex_
  std::size_t followers_ = 0;  // guarded by mutex_
};

}  // namespace baokms::supervisor
