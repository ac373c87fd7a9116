// The supervisor's channel to the auth agent, with the messages that only the agent may send.
// Nothing secret passes over it; tokens go from the agent directly to the workers.

#pragma once

#include <cstdint>

#include "common/base/error.h"
#include "common/base/event_loop.h"
#include "common/base/result.h"
#include "ipc/limits.h"
#include "proto/ipc.pb.h"
#include "supervisor/children/child_channel.h"
#include "supervisor/children/silence_watch.h"

namespace baokms::supervisor {

// Every function is called on the loop's thread. Messages were checked for form only.
class AgentEvents {
 public:
  virtual ~AgentEvents() = default;

  // The agent violated the protocol or closed its channel: it must be killed. Called at most once.
  virtual void OnAgentViolation(const Error& why) = 0;

  virtual void OnAgentReady() = 0;

  // The agent has not answered for so long that it must be killed. Called at most once.
  virtual void OnAgentSilent() = 0;

  // The calls in it were reported through ChildEvents::OnCall() before this.
  virtual void OnAgentStatus(const ipc::AgentStatus& status) = 0;
  // To be answered with AnswerPinAttempt().
  virtual void OnAgentPinAttempt(std::uint16_t tag) = 0;
  // An error is a protocol violation.
  virtual Status OnAgentPinResult(ipc::PinAttemptEnd::Result result) = 0;

 protected:
  AgentEvents() = default;
  AgentEvents(const AgentEvents&) = default;
  AgentEvents& operator=(const AgentEvents&) = default;
};

class AgentChannel final : public ChildChannel {
 public:
  // `number` is the agent's incarnation. Everything passed by reference must outlive the channel.
  AgentChannel(EventLoop& loop,
               std::uint64_t number,
               ChildEvents& child_events,
               AgentEvents& agent_events);

  // Answers OnAgentPinAttempt().
  Status AnswerPinAttempt(ipc::PinAttemptAnswer::Verdict verdict);

 private:
  Status OnHello() override;

  void OnClosed(const Error& why) override { agent_events_.OnAgentViolation(why); }

  void Watch();
  void OnTick();

  EventLoop& loop_;
  AgentEvents& agent_events_;
  SilenceWatch silence_{ipc::kAgentSilence};
};

}  // namespace baokms::supervisor
