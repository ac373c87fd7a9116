#include "supervisor/children/agent_channel.h"

#include <cstdint>
#include <limits>
#include <memory>
#include <string>
#include <utility>

#include "common/base/error.h"
#include "common/base/event_loop.h"
#include "common/base/result.h"
#include "common/base/unique_fd.h"
#include "ipc/channel.h"
#include "ipc/dispatch.h"
#include "ipc/limits.h"
#include "ipc/link.h"
#include "ipc/message_type.h"
#include "proto/ipc.pb.h"

namespace baokms::supervisor {

using ipc::MessageType;

Result<std::unique_ptr<AgentChannel>> AgentChannel::Create(EventLoop& loop,
                                                           AgentEvents& events,
                                                           UniqueFd channel) {
  std::unique_ptr<AgentChannel> created(new AgentChannel(events));
  AgentChannel* self = created.get();
  self->FillDispatch();
  self->link_ = BAOKMS_TRY(ipc::Link::Create(
      loop, std::move(channel), ipc::LinkKind::kGeneral,
      [self](ipc::Datagram datagram) {
        return self->dispatch_.Deliver(std::move(datagram), self->phase_);
      },
      [self](const Error& error) { self->events_.OnAgentBreach(error); }));
  return created;
}

void AgentChannel::FillDispatch() {
  constexpr std::uint32_t kServing = ipc::kPhaseServing;
  dispatch_.Add<ipc::Hello>(MessageType::kHello, ipc::kPhaseHello,
                            [this](const ipc::Hello& hello) { return OnHello(hello); });
  dispatch_.AddWithDescriptor<ipc::ProcDescriptor>(
      MessageType::kProcDescriptor, kServing, ipc::Descriptor::kRequired,
      [this](const ipc::ProcDescriptor& message, UniqueFd descriptor) {
        return OnProcDescriptor(message, std::move(descriptor));
      });
  const auto tell = [this]<typename Message>(void (AgentEvents::*event)(const Message&)) {
    return [this, event](const Message& message) -> Status {
      (events_.*event)(message);
      return {};
    };
  };
  dispatch_.Add<ipc::ConfinementReport>(MessageType::kConfinementReport, kServing,
                                        tell(&AgentEvents::OnAgentConfinement));
  dispatch_.Add<ipc::LogRecord>(MessageType::kLogRecord, kServing,
                                tell(&AgentEvents::OnAgentLogRecord));
  dispatch_.Add<ipc::ConnectRequest>(MessageType::kConnectRequest, kServing,
                                     tell(&AgentEvents::OnAgentConnectRequest));
  dispatch_.Add<ipc::ConnectVerdict>(MessageType::kConnectVerdict, kServing,
                                     tell(&AgentEvents::OnAgentConnectVerdict));
  dispatch_.Add<ipc::SyscallRefused>(MessageType::kSyscallRefused, ipc::kPhaseHello | kServing,
                                     [this](const ipc::SyscallRefused& refused) -> Status {
                                       events_.OnAgentSyscallRefused(refused.number());
                                       return {};
                                     });
  dispatch_.Add<ipc::PinAttemptBegin>(
      MessageType::kPinAttemptBegin, kServing, [this](const ipc::PinAttemptBegin& begin) -> Status {
        if (begin.tag() > std::numeric_limits<std::uint16_t>::max()) {
          return Error(ErrorCode::kProtocolViolation, "tag of more than 16 bits");
        }
        events_.OnAgentPinAttempt(static_cast<std::uint16_t>(begin.tag()));
        return {};
      });
  dispatch_.Add<ipc::PinAttemptEnd>(
      MessageType::kPinAttemptEnd, kServing, [this](const ipc::PinAttemptEnd& end) -> Status {
        if (!ipc::PinAttemptEnd::Result_IsValid(end.result()) ||
            end.result() == ipc::PinAttemptEnd::RESULT_UNSPECIFIED) {
          return Error(ErrorCode::kProtocolViolation, "PIN attempt with an unknown end");
        }
        events_.OnAgentPinResult(end.result());
        return {};
      });
  dispatch_.Add<ipc::AgentStatus>(
      MessageType::kAgentStatus, kServing, [this](const ipc::AgentStatus& status) -> Status {
        if (static_cast<std::size_t>(status.calls_size()) > ipc::kMaxCalls) {
          return Error(ErrorCode::kProtocolViolation, "more calls than one login can make");
        }
        events_.OnAgentStatus(status);
        return {};
      });
}

Status AgentChannel::OnHello(const ipc::Hello& hello) {
  if (hello.protocol_version() != ipc::kProtocolVersion || hello.role() != ipc::ROLE_AUTH_AGENT) {
    return Error(ErrorCode::kProtocolViolation, "not an auth agent of this version");
  }
  phase_ = ipc::kPhaseServing;
  ipc::HelloAnswer answer;
  answer.set_protocol_version(ipc::kProtocolVersion);
  answer.set_role(ipc::ROLE_SUPERVISOR);
  return link_->Send(MessageType::kHelloAnswer, answer);
}

Status AgentChannel::OnProcDescriptor(const ipc::ProcDescriptor& message, UniqueFd descriptor) {
  const auto kind = static_cast<std::uint32_t>(message.kind());
  if (kind == 0 || kind > ipc::ProcDescriptor::Kind_MAX ||
      (proc_descriptors_seen_ & (1U << kind)) != 0) {
    return Error(ErrorCode::kProtocolViolation, "descriptor of an unknown kind or sent twice");
  }
  proc_descriptors_seen_ |= 1U << kind;
  events_.OnAgentProcDescriptor(message.kind(), std::move(descriptor));
  return {};
}

Status AgentChannel::AnswerPinAttempt(ipc::PinAttemptAnswer::Verdict verdict) {
  ipc::PinAttemptAnswer answer;
  answer.set_verdict(verdict);
  return link_->Send(MessageType::kPinAttemptAnswer, answer);
}

Status AgentChannel::SendTunables(const ipc::Tunables& tunables) {
  return link_->Send(MessageType::kTunables, tunables);
}

Status AgentChannel::AnswerConnect(const ipc::ConnectAnswer& answer, UniqueFd socket) {
  return link_->Send(MessageType::kConnectAnswer, answer, std::move(socket));
}

}  // namespace baokms::supervisor
