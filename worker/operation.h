// The common part of all operations for the supervisor: each sends exactly one answer, even when it
// is cancelled. The operations themselves are in their own files.

#pragma once

#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "common/base/clock.h"
#include "common/openbao/api.h"
#include "ipc/message_type.h"
#include "proto/ipc.pb.h"
#include "worker/key_table.h"
#include "worker/known_versions.h"
#include "worker/transit_call.h"

namespace baokms::worker {

// What operations use. Every member must outlive them.
struct OperationContext {
  TransitCall::Sources sources;
  const KeyTable& keys;
  KnownVersions& known;
  std::string plugin_version;
};

// Destroying an operation ends it without an answer.
class KmsOperation {
 public:
  virtual ~KmsOperation() = default;

  // Answers OUTCOME_CANCELED and destroys the object.
  virtual void Cancel() = 0;

  KmsOperation(const KmsOperation&) = delete;
  KmsOperation& operator=(const KmsOperation&) = delete;

 protected:
  KmsOperation() = default;
};

// Base class of the operation for requests of type `kRequestType`. A derived class has a function
// Begin(Request&), which may end the operation immediately, and a row in worker/worker.cc.
template <typename RequestMessage, typename AnswerMessage, ipc::MessageType kRequestType>
class AnsweringOperation : public KmsOperation {
 public:
  using Request = RequestMessage;
  using Answer = AnswerMessage;
  static constexpr ipc::MessageType kType = kRequestType;

  // Sends the answer and destroys the operation.
  using Reply = std::function<void(Answer&)>;

  AnsweringOperation(const OperationContext& context, BootTime deadline, Reply reply)
      : context_(context), deadline_(deadline), reply_(std::move(reply)) {}

  void Cancel() override { End(ipc::OUTCOME_CANCELED); }

 protected:
  // Starts one exchange with a token. Called again for a repetition.
  template <typename Value>
  using Exchange =
      std::function<openbao::CallId(const openbao::CallContext&, openbao::Done<Value>)>;

  // Calls Transit with the token and deadline of the operation, and adds the call's records to the
  // answer. `done` receives the outcome, and a value that is meaningful only with OUTCOME_OK.
  template <typename Value>
  void CallTransit(Exchange<Value> exchange,
                   std::function<void(ipc::Outcome, Value)> done,
                   openbao::ConnectionUse connection = openbao::ConnectionUse::kAny) {
    const auto value = std::make_shared<Value>();
    calls_.push_back(std::make_unique<TransitCall>(
        context_.sources, deadline_, connection,
        [value, exchange = std::move(exchange)](const openbao::CallContext& call, auto report) {
          return exchange(
              call, [value, report = std::move(report)](openbao::CallReport ended, Value received) {
                *value = std::move(received);
                report(std::move(ended));
              });
        },
        [this, value, done = std::move(done)](const CallEnd& end) {
          Account(end);
          done(end.outcome, std::move(*value));
        }));
    calls_.back()->Begin();
  }

  // Sends the answer and destroys the operation; no member may be used afterwards.
  void End(ipc::Outcome outcome) {
    answer_.set_outcome(outcome);
    const Reply reply = std::move(reply_);
    reply(answer_);
  }

  [[nodiscard]] const OperationContext& context() const { return context_; }

  [[nodiscard]] openbao::Transit& transit() const { return context_.sources.transit; }

  [[nodiscard]] Answer& answer() { return answer_; }

 private:
  void Account(const CallEnd& end) {
    openbao::AppendCalls(end.calls, *answer_.mutable_calls());
    if constexpr (requires { answer_.mutable_stages(); }) {
      ipc::Stages& stages = *answer_.mutable_stages();
      stages.set_token_wait_us(stages.token_wait_us() + end.stages.token_wait_us());
      stages.set_connect_us(stages.connect_us() + end.stages.connect_us());
      stages.set_openbao_us(stages.openbao_us() + end.stages.openbao_us());
    }
  }

  const OperationContext& context_;
  BootTime deadline_;
  Reply reply_;
  Answer answer_;
  std::vector<std::unique_ptr<TransitCall>> calls_;  // at most two
};

}  // namespace baokms::worker
