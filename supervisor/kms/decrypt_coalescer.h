// Decrypt requests: equal ones that are in progress at the same time share one call to a worker.
// Each request keeps its own deadline and client; a failure of one client does not affect the
// others that share the call.

#pragma once

#include <cstddef>
#include <memory>
#include <mutex>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "common/base/clock.h"
#include "common/base/event_loop.h"
#include "proto/kms_v2.pb.h"
#include "supervisor/kms/decrypt_call.h"
#include "supervisor/kms/error_policy.h"
#include "supervisor/kms/kms_call.h"

namespace baokms::supervisor {

// Callable from any thread.
class DecryptCoalescer final {
 public:
  // Maximum number of followers, that is requests that joined another request's call, over all
  // calls. Followers need no permit, so this is their only bound.
  static constexpr std::size_t kMaxFollowers = 1024;

  // Everything passed by reference must outlive the coalescer.
  DecryptCoalescer(EventLoop& loop, const CallContext& context) : loop_(loop), context_(context) {}

  DecryptCoalescer(const DecryptCoalescer&) = delete;
  DecryptCoalescer& operator=(const DecryptCoalescer&) = delete;
  // Requests that are still in progress are never answered.
  ~DecryptCoalescer();

  // Joins an equal request that is in progress, or starts a new call. Takes ownership of
  // `request`'s contents.
  KmsCallPtr Start(v2::DecryptRequest request, BootTime deadline, DecryptDone done);

 private:
  class Waiter;
  class SharedCall;
  using WaiterPtr = std::shared_ptr<Waiter>;
  using SharedCallPtr = std::shared_ptr<SharedCall>;
  // Keyed by ciphertext, which the shared call owns. Annotations and key_id are compared
  // afterwards.
  using SharedCalls = std::unordered_multimap<std::string_view, SharedCallPtr>;

  Cause JoinOrAdmit(const WaiterPtr& waiter, v2::DecryptRequest request, SharedCallPtr& started);
  Cause Join(const WaiterPtr& waiter, const SharedCallPtr& shared_call);
  SharedCallPtr FindEqual(const v2::DecryptRequest& request) const;
  void Ask(SharedCall& shared_call);
  void Complete(SharedCall& shared_call, DecryptResult result);
  bool ContinueForTheRest(SharedCall& shared_call, std::vector<WaiterPtr>& late);
  void Remove(const SharedCall& shared_call);
  void Leave(const WaiterPtr& waiter, Cause cause);
  void LeaveAt(const WaiterPtr& waiter);
  void Answer(const Waiter& waiter,
              const SharedCall* shared_call,
              const DecryptResult& result) const;

  EventLoop& loop_;
  const CallContext& context_;
  std::mutex mutex_;
  SharedCalls shared_calls_;   // guarded by mutex_
  std::size_t followers_ = 0;  // guarded by mutex_
};

}  // namespace baokms::supervisor
