// One OpenBao call that needs the token: waits for one, calls, and after a 401 or 403 repeats the
// call once with another token if there is one. It does not know which call it is.

#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <vector>

#include "common/base/clock.h"
#include "common/openbao/api.h"
#include "proto/ipc.pb.h"
#include "worker/token_source.h"
#include "worker/transit.h"

namespace baokms::worker {

// How it ended, and what it took.
struct CallEnd {
  ipc::Outcome outcome = ipc::OUTCOME_INTERNAL;
  std::vector<openbao::CallRecord> calls;
  ipc::Stages stages;
};

// Destroying it ends the call without a callback; that is allowed from inside the callback, too.
class TokenCall final {
 public:
  // Starts the exchange and gives its name; keeps the value and hands the report on.
  using Start = std::function<openbao::CallId(const openbao::CallContext&,
                                              std::function<void(openbao::CallReport)> ended)>;
  using Done = std::function<void(CallEnd)>;

  struct Sources {
    TokenSource& tokens;
    Transit& transit;
  };

  // `deadline` bounds everything. Both sources must outlive the call.
  TokenCall(Sources sources,
            BootTime deadline,
            openbao::ConnectionUse connection,
            Start start,
            Done done);
  TokenCall(const TokenCall&) = delete;
  TokenCall& operator=(const TokenCall&) = delete;
  ~TokenCall();

  // `done` runs later, exactly once.
  void Begin();

 private:
  void Call();
  void OnToken(TokenSource::Ready ready);
  void OnReport(openbao::CallReport report);
  void Finish(ipc::Outcome outcome);
  std::function<void(TokenSource::Ready)> AwaitToken();

  Sources sources_;
  BootTime deadline_;
  openbao::ConnectionUse connection_;
  Start start_;
  Done done_;
  CallEnd end_;
  openbao::CallId call_ = 0;
  TokenSource::WaitId wait_ = 0;
  BootTime waiting_since_{};
  std::uint64_t generation_ = 0;         // of the token in use
  std::optional<ipc::Outcome> refusal_;  // the first one; there is no second repetition
};

}  // namespace baokms::worker
