#include "supervisor/children/agent_channel.h"

#include <cstdint>
#include <memory>
#include <utility>

#include "common/base/error.h"
#include "common/base/event_loop.h"
#include "common/base/result.h"
#include "common/base/unique_fd.h"
#include "ipc/message_type.h"
#include "proto/ipc.pb.h"
#include "supervisor/children/child_channel.h"
#include "supervisor/spawner/child_key.h"

namespace baokms::supervisor {

using ipc::MessageType;

Result<std::shared_ptr<AgentChannel>> AgentChannel::Create(EventLoop& loop,
                                                           std::uint64_t number,
                                                           ChildEvents& child_events,
                                                           AgentEvents& agent_events,
                                                           UniqueFd channel) {
  std::shared_ptr<AgentChannel> created(new AgentChannel(loop, number, child_events, agent_events));
  BAOKMS_TRY(created->Open(std::move(channel)));
  return created;
}

AgentChannel::AgentChannel(EventLoop& loop,
                           std::uint64_t number,
                           ChildEvents& child_events,
                           AgentEvents& agent_events)
    : ChildChannel(loop, {kAgentKey, number}, child_events), agent_events_(agent_events) {
  AcceptConnectRequests();
  Accept<ipc::PinAttemptBegin>(MessageType::kPinAttemptBegin,
                               [this](const ipc::PinAttemptBegin& begin) -> Status {
                                 const auto tag = static_cast<std::uint16_t>(begin.tag());
                                 agent_events_.OnAgentPinAttempt(tag);
                                 return {};
                               });
  Accept<ipc::PinAttemptEnd>(MessageType::kPinAttemptEnd,
                             [this](const ipc::PinAttemptEnd& end) -> Status {
                               agent_events_.OnAgentPinResult(end.result());
                               return {};
                             });
  Accept<ipc::AgentStatus>(MessageType::kAgentStatus,
                           [this](const ipc::AgentStatus& status) -> Status {
                             for (const ipc::OpenBaoCall& call : status.calls()) {
                               events().OnCall(who(), call);
                             }
                             agent_events_.OnAgentStatus(status);
                             return {};
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

Status AgentChannel::SendTunables(const ipc::Tunables& tunables) {
  return Send(MessageType::kTunables, tunables);
}

}  // namespace baokms::supervisor
