// The supervisor's channel to the auth agent: what only the agent may say. Nothing secret comes
// over it; tokens go from the agent to the workers directly.

#pragma once

#include <cstdint>
#include <memory>

#include "common/base/error.h"
#include "common/base/event_loop.h"
#include "common/base/result.h"
#include "common/base/unique_fd.h"
#include "proto/ipc.pb.h"
#include "supervisor/children/child_channel.h"

namespace baokms::supervisor {

// Everything runs on the loop's thread. Contents are checked for form only.
class AgentEvents {
 public:
  virtual ~AgentEvents() = default;

  // The agent broke the protocol or left its channel: kill it. Comes once at most.
  virtual void OnAgentBreach(const Error& why) = 0;

  virtual void OnAgentReady() = 0;

  // Its calls come through ChildEvents::OnCall() as well, before this.
  virtual void OnAgentStatus(const ipc::AgentStatus& status) = 0;
  virtual void OnAgentPinAttempt(std::uint16_t tag) = 0;
  virtual void OnAgentPinResult(ipc::PinAttemptEnd::Result result) = 0;

 protected:
  AgentEvents() = default;
  AgentEvents(const AgentEvents&) = default;
  AgentEvents& operator=(const AgentEvents&) = default;
};

class AgentChannel final : public ChildChannel {
 public:
  // `number` is the agent's incarnation. Everything passed by reference must outlive the channel.
  static Result<std::shared_ptr<AgentChannel>> Create(EventLoop& loop,
                                                      std::uint64_t number,
                                                      ChildEvents& child_events,
                                                      AgentEvents& agent_events,
                                                      UniqueFd channel);

  // Answers OnAgentPinAttempt().
  Status AnswerPinAttempt(ipc::PinAttemptAnswer::Verdict verdict);

  // What SIGHUP changed.
  Status SendTunables(const ipc::Tunables& tunables);

 private:
  AgentChannel(EventLoop& loop,
               std::uint64_t number,
               ChildEvents& child_events,
               AgentEvents& agent_events);

  Status OnHello() override;

  void OnClosed(const Error& why) override { agent_events_.OnAgentBreach(why); }

  AgentEvents& agent_events_;
};

}  // namespace baokms::supervisor
