#include "supervisor/children/agent_channel.h"

#include <memory>

#include "ipc/message_type.h"
#include "supervisor/spawner/child_key.h"

namespace baokms::supervisor {

using ipc::MessageType;

AgentChannel::AgentChannel(EventLoop& loop,
                           std::uint64_t number,
                           ChildEvents& child_events,
                           AgentEvents& agent_events)
    : ChildChannel(loop, {kAgentKey, number}, child_events),
      loop_(loop),
      agent_events_(agent_events) {
  AcceptPongs([this] { silence_.Heard(); });
  AcceptConnectRequests();
  Accept<ipc::PinAttemptBegin>(
      MessageType::kPinAttemptBegin, [this](const ipc::PinAttemptBegin& begin) -> Status {
        BAOKMS_TRY(CountRequest(MessageType::kPinAttemptBegin));
        agent_events_.OnAgentPinAttempt(static_cast<std::uint16_t>(begin.tag()));
        return {};
      });
  Accept<ipc::PinAttemptEnd>(MessageType::kPinAttemptEnd, [this](const ipc::PinAttemptEnd& end) {
    return agent_events_.OnAgentPinResult(end.result());
  });
  Accept<ipc::AgentStatus>(MessageType::kAgentStatus, [this](const ipc::AgentStatus& status) {
    ReportCalls(status.calls());
    agent_events_.OnAgentStatus(status);
  });
}

Status AgentChannel::OnHello() {
  agent_events_.OnAgentReady();
  Watch();
  return {};
}

void AgentChannel::Watch() {
  loop_.After(ipc::kAgentSilence.tick, [weak = weak_from_this()] {
    if (const auto self = std::static_pointer_cast<AgentChannel>(weak.lock())) {
      self->OnTick();
    }
  });
}

void AgentChannel::OnTick() {
  const SilenceWatch::Step step = silence_.Tick(true);
  if (step == SilenceWatch::Step::kKill) {
    agent_events_.OnAgentSilent();
    return;
  }
  if (step == SilenceWatch::Step::kPing) {
    Ping();
  }
  Watch();
}

Status AgentChannel::AnswerPinAttempt(ipc::PinAttemptAnswer::Verdict verdict) {
  ipc::PinAttemptAnswer answer;
  answer.set_verdict(verdict);
  CountAnswers(MessageType::kPinAttemptBegin, 1);
  return Send(MessageType::kPinAttemptAnswer, answer);
}

}  // namespace baokms::supervisor
