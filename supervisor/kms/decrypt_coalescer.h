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
#include "supervisor/workers/worker_pool.h"

namespace baokms::supervisor {

// Callable from any thread.
class DecryptCoalescer final {
 public:
  // Requests that share the call of another one, over all calls. They take no place of their own,
  // so this is what bounds them.
  static constexpr std::size_t kMostFollowers = 1024;

  // Everything passed by reference must outlive the desk.
  DecryptCoalescer(EventLoop& loop,
                   WorkerPool& gateway,
                   StatusSource& status,
                   Admission& admission,
                   const Observers& observers);
  DecryptCoalescer(const DecryptCoalescer&) = delete;
  DecryptCoalescer& operator=(const DecryptCoalescer&) = delete;
  // What is still in progress never ends.
  ~DecryptCoalescer();

  // Joins an equal request or starts a call of its own. `request` is taken over.
  KmsCallPtr Start(v2::DecryptRequest request, BootTime deadline, DecryptDone done);

 private:
  class Call;
  struct SharedCall;
  using CallPtr = std::shared_ptr<Call>;
  using SharedCallPtr = std::shared_ptr<SharedCall>;
  // By ciphertext, which lives in the shared_call. Annotations and key_id are compared after it.
  using Flights = std::unordered_multimap<std::string_view, SharedCallPtr>;

  // What became of a shared_call.
  struct Completion {
    Cause cause = Cause::kNone;
    std::uint32_t version = 0;
    std::span<const std::uint8_t> plaintext;
  };

  Cause Join(const CallPtr& call, v2::DecryptRequest request, SharedCallPtr& started);
  Cause Join(const CallPtr& call, const SharedCallPtr& shared_call);
  SharedCallPtr FindEqual(const v2::DecryptRequest& request) const;
  void Advance(const SharedCallPtr& shared_call);
  void OnDiscovered(const SharedCallPtr& shared_call, DiscoveryOutcome outcome);
  void AskWorker(const SharedCallPtr& shared_call, const DecryptableKey& key);
  void OnAnswer(const SharedCallPtr& shared_call, Reply<ipc::DecryptAnswer> reply);
  void Complete(const SharedCallPtr& shared_call, const Completion& completion);
  bool GoOnForTheRest(SharedCall& shared_call, std::vector<CallPtr>& late);
  void Remove(const SharedCall& shared_call);
  void Leave(const CallPtr& call, Cause cause);
  void EndAt(const CallPtr& call);
  void Finish(const Call& call, const SharedCall* shared_call, const Completion& completion) const;

  // Runs one step; whatever it throws ends everybody on the shared_call.
  template <typename Step>
  void Guarded(const SharedCallPtr& shared_call, Step step);

  EventLoop& loop_;
  WorkerPool& gateway_;
  StatusSource& status_;
  Admission& admission_;
  const Observers& observers_;
  std::mutex mutex_;
  Flights shared_calls_;       // guarded by mutex_
  std::size_t followers_ = 0;  // guarded by mutex_
};

}  // namespace baokms::supervisor
