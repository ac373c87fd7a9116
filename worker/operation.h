// What all requests of the supervisor have in common: one answer each, also when they are
// cancelled. What each one does is in its own file.

#pragma once

#include <functional>
#include <string>
#include <utility>

#include "common/base/clock.h"
#include "proto/ipc.pb.h"
#include "worker/call_report.h"
#include "worker/key_table.h"
#include "worker/known_versions.h"
#include "worker/token_call.h"

namespace baokms::worker {

// What operations work with. Everything outlives them.
struct OperationContext {
  TokenCall::Sources sources;
  const KeyTable& keys;
  KnownVersions& known;
  std::string plugin_version;
};

// Adds what a call took to an answer.
template <typename Answer>
void Account(const CallEnd& end, Answer& answer) {
  AppendCalls(end.calls, *answer.mutable_calls());
  if constexpr (requires { answer.mutable_stages(); }) {
    ipc::Stages* stages = answer.mutable_stages();
    stages->set_token_wait_us(stages->token_wait_us() + end.stages.token_wait_us());
    stages->set_connect_us(stages->connect_us() + end.stages.connect_us());
    stages->set_openbao_us(stages->openbao_us() + end.stages.openbao_us());
  }
}

// Destroying one ends it without an answer.
class Operation {
 public:
  virtual ~Operation() = default;

  // Answers OUTCOME_CANCELED. The object is gone afterwards.
  virtual void Cancel() = 0;

  Operation(const Operation&) = delete;
  Operation& operator=(const Operation&) = delete;

 protected:
  Operation() = default;
};

// An operation whose answer is the message `AnswerMessage`.
template <typename AnswerMessage>
class AnsweringOperation : public Operation {
 public:
  using Answer = AnswerMessage;

  // Sends the answer and destroys the operation.
  using Reply = std::function<void(Answer&)>;

  AnsweringOperation(const OperationContext& context, BootTime deadline, Reply reply)
      : context_(context), deadline_(deadline), reply_(std::move(reply)) {}

  void Cancel() override { End(ipc::OUTCOME_CANCELED); }

 protected:
  // The last thing an operation does: nothing of it may be touched afterwards.
  void End(ipc::Outcome outcome) {
    answer_.set_outcome(outcome);
    const Reply reply = std::move(reply_);
    reply(answer_);
  }

  [[nodiscard]] const OperationContext& context() const { return context_; }

  [[nodiscard]] BootTime deadline() const { return deadline_; }

  [[nodiscard]] Answer& answer() { return answer_; }

 private:
  const OperationContext& context_;
  BootTime deadline_;
  Reply reply_;
  Answer answer_;
};

}  // namespace baokms::worker
