// One call to Transit that needs the token: waits for a token, makes the call, and after a 401 or
// 403 repeats it once if another token is available.

#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <utility>
#include <vector>

#include "common/base/clock.h"
#include "common/openbao/api.h"
#include "proto/ipc.pb.h"
#include "worker/token_source.h"

namespace baokms::worker {

// The outcome of a call, and the exchanges it took.
struct CallEnd {
  ipc::Outcome outcome = ipc::OUTCOME_INTERNAL;
  std::vector<openbao::CallRecord> calls;
  ipc::Stages stages;
};

// Destroying it ends the call without a callback, which is also permitted inside the callback.
class TransitCall final {
 public:
  struct Sources {
    TokenSource& tokens;
    openbao::Transit& transit;
  };

  // Starts one exchange with the given token and returns its id. Called again for the repetition.
  using Exchange = std::function<openbao::CallId(const openbao::CallContext&,
                                                 std::function<void(openbao::CallReport)>)>;
  using Done = std::function<void(const CallEnd&)>;

  // `deadline` limits the whole call. Both sources must outlive it.
  TransitCall(Sources sources,
              BootTime deadline,
              openbao::ConnectionUse connection,
              Exchange exchange,
              Done done)
      : sources_(sources),
        deadline_(deadline),
        connection_(connection),
        exchange_(std::move(exchange)),
        done_(std::move(done)) {}

  TransitCall(const TransitCall&) = delete;
  TransitCall& operator=(const TransitCall&) = delete;
  ~TransitCall();

  // Starts the call. Its callback runs later, exactly once.
  void Begin();

 private:
  void OnReport(openbao::CallReport report);
  void OnToken(TokenSource::Ready ready);
  void Finish(ipc::Outcome outcome);
  TokenSource::OnReady AwaitToken();

  Sources sources_;
  BootTime deadline_;
  openbao::ConnectionUse connection_;
  Exchange exchange_;
  Done done_;
  CallEnd end_;
  openbao::CallId call_ = 0;
  TokenSource::WaitId wait_ = 0;
  BootTime waiting_since_{};
  std::uint64_t generation_ = 0;         // of the token in use
  std::optional<ipc::Outcome> refusal_;  // the first one; the call is repeated only once
};

}  // namespace baokms::worker
