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

// The part that is independent of the type of call: token and retry. Destroying it ends the call
// without a callback, which is also permitted inside the callback.
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
  // `deadline` limits the whole call. Both sources must outlive it.
  TokenCall(Sources sources, BootTime deadline, openbao::ConnectionUse connection)
      : sources_(sources), deadline_(deadline), connection_(connection) {}

  // Handles the end of one exchange.
  void OnReport(openbao::CallReport report);

 private:
  // Starts one exchange, which ends with OnReport().
  virtual openbao::CallId Start(const openbao::CallContext& context) = 0;

  // Passes the result to the caller. May destroy this object.
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
  std::optional<ipc::Outcome> refusal_;  // the first one; the call is repeated only once
};

template <typename Value>
class TransitCall final : public TokenCall {
 public:
  // Starts one exchange with the given token and returns its id. Called again for the repetition.
  using Exchange =
      std::function<openbao::CallId(const openbao::CallContext&, openbao::Done<Value>)>;

  // The value is meaningful only with OUTCOME_OK.
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
