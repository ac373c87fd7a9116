#include "supervisor/children/child_channel.h"

#include <memory>
#include <utility>

#include <google/protobuf/message_lite.h>

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
namespace {

using ipc::MessageType;

constexpr std::uint32_t kAnyPhase = ipc::kPhaseHello | ipc::kPhaseServing;

}  // namespace

ChildChannel::ChildChannel(EventLoop& loop, const ChildProcess& who, ChildEvents& events)
    : loop_(loop), who_(who), events_(events) {
  dispatch_.Add<ipc::Hello>(MessageType::kHello, ipc::kPhaseHello,
                            [this](const ipc::Hello& hello) { return TakeHello(hello); });
  AcceptReports();
}

ChildChannel::~ChildChannel() {
  if (link_ != nullptr) {
    loop_.Post([link = std::shared_ptr<ipc::Link>(std::move(link_))] {});
  }
}

Status ChildChannel::Open(UniqueFd channel) {
  // A weak reference, because the link may outlive its channel until the loop destroys it.
  const std::weak_ptr<ChildChannel> weak = weak_from_this();
  link_ = BAOKMS_TRY(ipc::Link::Create(
      loop_, std::move(channel), ipc::LinkKind::kGeneral,
      [weak](ipc::Datagram datagram) -> Status {
        const std::shared_ptr<ChildChannel> self = weak.lock();
        return self == nullptr ? Status()
                               : self->dispatch_.Deliver(std::move(datagram), self->phase_);
      },
      [weak](const Error& why) {
        if (const std::shared_ptr<ChildChannel> self = weak.lock()) {
          self->OnClosed(why);
        }
      }));
  return {};
}

Status ChildChannel::Send(MessageType type, const google::protobuf::MessageLite& message) {
  return link_->Send(type, message);
}

Status ChildChannel::Send(MessageType type,
                          const google::protobuf::MessageLite& message,
                          UniqueFd attached) {
  return link_->Send(type, message, std::move(attached));
}

Status ChildChannel::AnswerConnect(const ipc::ConnectAnswer& answer, UniqueFd socket) {
  unanswered_connects_ -= unanswered_connects_ > 0 ? 1 : 0;
  return link_->Send(MessageType::kConnectAnswer, answer, std::move(socket));
}

// A process may report about itself before its Hello: it is confined by then, or has failed to be.
void ChildChannel::AcceptReports() {
  dispatch_.AddWithDescriptor<ipc::ProcDescriptor>(
      MessageType::kProcDescriptor, kAnyPhase, ipc::Descriptor::kRequired,
      [this](const ipc::ProcDescriptor& message, UniqueFd descriptor) {
        return TakeDescriptor(message, std::move(descriptor));
      });
  dispatch_.Add<ipc::ConfinementReport>(
      MessageType::kConfinementReport, kAnyPhase,
      [this](const ipc::ConfinementReport& report) { return TakeConfinement(report); });
  dispatch_.Add<ipc::LogRecord>(MessageType::kLogRecord, kAnyPhase,
                                [this](const ipc::LogRecord& record) -> Status {
                                  events_.OnLogRecord(who_, record);
                                  return {};
                                });
  dispatch_.Add<ipc::SyscallRefused>(MessageType::kSyscallRefused, kAnyPhase,
                                     [this](const ipc::SyscallRefused& refused) -> Status {
                                       events_.OnSyscallRefused(who_, refused.number());
                                       return {};
                                     });
  dispatch_.Add<ipc::StartFailure>(MessageType::kStartFailure, ipc::kPhaseHello,
                                   [this](const ipc::StartFailure& failure) -> Status {
                                     events_.OnStartFailure(who_, failure);
                                     return {};
                                   });
}

void ChildChannel::AcceptConnectRequests() {
  Accept<ipc::ConnectRequest>(
      MessageType::kConnectRequest,
      [this](const ipc::ConnectRequest& request) { return TakeConnectRequest(request); });
  Accept<ipc::ConnectReport>(MessageType::kConnectReport,
                             [this](const ipc::ConnectReport& report) -> Status {
                               events_.OnConnectReport(who_, report);
                               return {};
                             });
}

Status ChildChannel::TakeHello(const ipc::Hello& hello) {
  if (hello.role() != who_.key.role) {
    return Error(ErrorCode::kProtocolViolation, "Hello of another role");
  }
  phase_ = ipc::kPhaseServing;
  ipc::HelloAnswer answer;
  answer.set_protocol_version(ipc::kProtocolVersion);
  answer.set_role(ipc::ROLE_SUPERVISOR);
  BAOKMS_TRY(link_->Send(MessageType::kHelloAnswer, answer));
  return OnHello();
}

Status ChildChannel::TakeDescriptor(const ipc::ProcDescriptor& message, UniqueFd descriptor) {
  if (!descriptors_seen_.insert(message.kind()).second) {
    return Error(ErrorCode::kProtocolViolation, "descriptor sent twice");
  }
  events_.OnProcDescriptor(who_, message.kind(), std::move(descriptor));
  return {};
}

Status ChildChannel::TakeConfinement(const ipc::ConfinementReport& report) {
  // Only the auth agent installs a second filter, once its PKCS#11 module is open.
  if (std::exchange(confinement_seen_, true) && who_.key.role != ipc::ROLE_AUTH_AGENT) {
    return Error(ErrorCode::kProtocolViolation, "confinement reported twice");
  }
  events_.OnConfinement(who_, report);
  return {};
}

Status ChildChannel::TakeConnectRequest(const ipc::ConnectRequest& request) {
  if (unanswered_connects_ >= ipc::kMaxUnansweredConnects) {
    return Error(ErrorCode::kProtocolViolation, "too many connections requested at the same time");
  }
  ++unanswered_connects_;
  events_.OnConnectRequest(who_, request);
  return {};
}

}  // namespace baokms::supervisor
