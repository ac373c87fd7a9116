#include "supervisor/children/agent_channel.h"

#include "ipc/message_type.h"
#include "supervisor/spawner/child_key.h"

namespace baokms::supervisor {

using ipc::MessageType;

AgentChannel::AgentChannel(EventLoop& loop,
                           std::uint64_t number,
                           ChildEvents& child_events,
                           AgentEvents& agent_events)
    : ChildChannel(loop, {kAgentKey, number}, child_events), agent_events_(agent_events) {
  AcceptConnectRequests();
  Accept<ipc::PinAttemptBegin>(
      MessageType::kPinAttemptBegin, [this](const ipc::PinAttemptBegin& begin) {
        agent_events_.OnAgentPinAttempt(static_cast<std::uint16_t>(begin.tag()));
      });
  Accept<ipc::PinAttemptEnd>(MessageType::kPinAttemptEnd, [this](const ipc::PinAttemptEnd& end) {
    agent_events_.OnAgentPinResult(end.result());
  });
  Accept<ipc::AgentStatus>(MessageType::kAgentStatus, [this](const ipc::AgentStatus& status) {
    ReportCalls(status.calls());
    agent_events_.OnAgentStatus(status);
  });
}

Status AgentChannel::OnHello() {
  agent_events_.OnAgentReady();
  return {};
}

Status AgentChannel::AnswerPinAttempt(ipc::PinAttemptAnswer::Verdict verdict) {
  ipc::PinAttemptAnswer answer;
  answer.set_verdict(verdict);
  return Send(MessageType::kPinAttemptAnswer, answer);
}

}  // namespace baokms::supervisor
