// One call of Transit that needs the token: waits for a token, calls, and after a 401 or 403
// repeats the call once with another token if there is one.

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

// How a call ended, and what it took.
struct CallEnd {
  ipc::Outcome outcome = ipc::OUTCOME_INTERNAL;
  std::vector<openbao::CallRecord> calls;
  ipc::Stages stages;
};

// The part that does not depend on which call it is: token and retry. Destroying it ends the call
// without a callback; that is allowed from inside the callback, too.
class TokenCall {
 public:
  struct Sources {
    TokenSource& tokens;
    openbao::Transit& transit;
  };

  TokenCall(const TokenCall&) = delete;
  TokenCall& operator=(const TokenCall&) = delete;
  virtual ~TokenCall();

  // Starts the call. Its callback runs later, exactly once.
  void Begin() { Call(); }

 protected:
  // `deadline` bounds everything. Both sources must outlive the call.
  TokenCall(Sources sources, BootTime deadline, openbao::ConnectionUse connection)
      : sources_(sources), deadline_(deadline), connection_(connection) {}

  // Ends one exchange.
  void OnReport(openbao::CallReport report);

 private:
  // Starts one exchange, which ends with OnReport().
  virtual openbao::CallId Start(const openbao::CallContext& context) = 0;

  // Hands the result to the caller. May destroy this object.
  virtual void Deliver(CallEnd end) = 0;

  void Call();
  void OnToken(TokenSource::Ready ready);
  void Finish(ipc::Outcome outcome);
  std::function<void(TokenSource::Ready)> AwaitToken();

  Sources sources_;
  BootTime deadline_;
  openbao::ConnectionUse connection_;
  CallEnd end_;
  openbao::CallId call_ = 0;
  TokenSource::WaitId wait_ = 0;
  BootTime waiting_since_{};
  std::uint64_t generation_ = 0;         // of the token in use
  std::optional<ipc::Outcome> refusal_;  // the first one; there is no second repetition
};

template <typename Value>
class TransitCall final : public TokenCall {
 public:
  // Starts one exchange with the given token and gives its name. Called again for the repetition.
  using Exchange =
      std::function<openbao::CallId(const openbao::CallContext&, openbao::Done<Value>)>;

  // The value is meaningful with OUTCOME_OK only.
  using Done = std::function<void(CallEnd, Value)>;

  TransitCall(Sources sources,
              BootTime deadline,
              openbao::ConnectionUse connection,
              Exchange exchange,
              Done done)
      : TokenCall(sources, deadline, connection),
        exchange_(std::move(exchange)),
        done_(std::move(done)) {}

 private:
  openbao::CallId Start(const openbao::CallContext& context) override {
    return exchange_(context, [this](openbao::CallReport report, Value value) {
      value_ = std::move(value);
      OnReport(std::move(report));
    });
  }

  void Deliver(CallEnd end) override {
    const Done done = std::move(done_);
    done(std::move(end), std::move(value_));
  }

  Exchange exchange_;
  Done done_;
  Value value_{};
};

}  // namespace baokms::worker
