#include "supervisor/workers/worker_channel.h"

#include <memory>
#include <utility>

#include <google/protobuf/message_lite.h>

#include "common/base/error.h"
#include "common/base/event_loop.h"
#include "common/base/result.h"
#include "common/base/unique_fd.h"
#include "ipc/channel.h"
#include "ipc/dispatch.h"
#include "ipc/link.h"
#include "ipc/message_type.h"
#include "proto/ipc.pb.h"
#include "supervisor/workers/answer_checks.h"
#include "supervisor/workers/operation.h"
#include "supervisor/workers/worker_events.h"

namespace baokms::supervisor {
namespace {

using ipc::MessageType;

constexpr std::uint32_t kAnyPhase = ipc::kPhaseHello | ipc::kPhaseServing;

}  // namespace

Result<std::shared_ptr<WorkerChannel>> WorkerChannel::Create(
    EventLoop& loop, UniqueFd channel, Incarnation who, Owner& owner, WorkerEvents& events) {
  std::shared_ptr<WorkerChannel> made(new WorkerChannel(loop, who, owner, events));
  made->AddRules();
  // Weak: the link may outlive its channel until the loop destroys it.
  const std::weak_ptr<WorkerChannel> weak = made;
  made->link_ = BAOKMS_TRY(ipc::Link::Create(
      loop, std::move(channel), ipc::LinkKind::kGeneral,
      [weak](ipc::Datagram datagram) -> Status {
        const std::shared_ptr<WorkerChannel> self = weak.lock();
        return self == nullptr ? Status()
                               : self->dispatch_.Deliver(std::move(datagram), self->phase_);
      },
      [weak](const Error& why) {
        if (const std::shared_ptr<WorkerChannel> self = weak.lock()) {
          self->owner_.OnClosed(self->who_, why);
        }
      }));
  return made;
}

WorkerChannel::~WorkerChannel() {
  if (link_ != nullptr) {
    loop_.Post([link = std::shared_ptr<ipc::Link>(std::move(link_))] {});
  }
}

Status WorkerChannel::Send(MessageType type, const google::protobuf::MessageLite& message) {
  return link_->Send(type, message);
}

Status WorkerChannel::Send(MessageType type,
                           const google::protobuf::MessageLite& message,
                           UniqueFd attached) {
  return link_->Send(type, message, std::move(attached));
}

template <typename Answer>
void WorkerChannel::AddAnswerRule(MessageType type) {
  dispatch_.Add<Answer>(type, ipc::kPhaseServing, [this](Answer& answer) -> Status {
    BAOKMS_TRY(CheckForm(answer));
    const auto calls = std::move(*answer.mutable_calls());
    BAOKMS_TRY(owner_.OnAnswer(who_, std::move(answer)));
    // Last: somebody waits for the answer, nobody for its numbers.
    for (const ipc::Call& call : calls) {
      events_.OnCall(who_, call);
    }
    return {};
  });
}

void WorkerChannel::AddRules() {
  dispatch_.Add<ipc::Hello>(MessageType::kHello, ipc::kPhaseHello,
                            [this](ipc::Hello& hello) { return TakeHello(hello); });
  dispatch_.Add<ipc::KeyTableAnswer>(MessageType::kKeyTableAnswer, ipc::kPhaseServing,
                                     [this](ipc::KeyTableAnswer& answer) -> Status {
                                       BAOKMS_TRY(CheckForm(answer));
                                       return owner_.OnKeyTable(who_, answer);
                                     });
  AddAnswerRule<ipc::EncryptAnswer>(MessageType::kEncryptAnswer);
  AddAnswerRule<ipc::DecryptAnswer>(MessageType::kDecryptAnswer);
  AddAnswerRule<ipc::MetadataAnswer>(MessageType::kMetadataAnswer);
  AddAnswerRule<ipc::ProbeEncryptAnswer>(MessageType::kProbeEncryptAnswer);
  AddAnswerRule<ipc::ProbeDecryptAnswer>(MessageType::kProbeDecryptAnswer);
  dispatch_.Add<ipc::TokenStatus>(MessageType::kTokenStatus, ipc::kPhaseServing,
                                  [this](ipc::TokenStatus& status) -> Status {
                                    BAOKMS_TRY(CheckForm(status));
                                    for (const ipc::Call& call : status.calls()) {
                                      events_.OnCall(who_, call);
                                    }
                                    owner_.OnTokenStatus(who_, status);
                                    return {};
                                  });
  dispatch_.Add<ipc::ConnectRequest>(MessageType::kConnectRequest, ipc::kPhaseServing,
                                     [this](ipc::ConnectRequest& request) -> Status {
                                       events_.OnConnectRequest(who_, request);
                                       return {};
                                     });
  dispatch_.Add<ipc::ConnectVerdict>(MessageType::kConnectVerdict, ipc::kPhaseServing,
                                     [this](ipc::ConnectVerdict& verdict) -> Status {
                                       events_.OnConnectVerdict(who_, verdict);
                                       return {};
                                     });
  AddReportRules();
}

// What a process says about itself may come before its Hello: it is confined by then.
void WorkerChannel::AddReportRules() {
  dispatch_.AddWithDescriptor<ipc::ProcDescriptor>(
      MessageType::kProcDescriptor, kAnyPhase, ipc::Descriptor::kRequired,
      [this](ipc::ProcDescriptor& message, UniqueFd descriptor) {
        return TakeDescriptor(message, std::move(descriptor));
      });
  dispatch_.Add<ipc::ConfinementReport>(
      MessageType::kConfinementReport, kAnyPhase, [this](ipc::ConfinementReport& report) -> Status {
        BAOKMS_TRY(CheckForm(report));
        if (std::exchange(confinement_seen_, true)) {
          return Error(ErrorCode::kProtocolViolation, "confinement reported twice");
        }
        events_.OnConfinement(who_, report);
        return {};
      });
  dispatch_.Add<ipc::LogRecord>(MessageType::kLogRecord, kAnyPhase,
                                [this](ipc::LogRecord& record) -> Status {
                                  BAOKMS_TRY(CheckForm(record));
                                  events_.OnLogRecord(who_, record);
                                  return {};
                                });
  dispatch_.Add<ipc::SyscallRefused>(MessageType::kSyscallRefused, kAnyPhase,
                                     [this](ipc::SyscallRefused& refused) -> Status {
                                       events_.OnSyscallRefused(who_, refused.number());
                                       return {};
                                     });
}

Status WorkerChannel::TakeHello(const ipc::Hello& hello) {
  if (hello.protocol_version() != ipc::kProtocolVersion || hello.role() != ipc::ROLE_WORKER) {
    return Error(ErrorCode::kProtocolViolation, "Hello of another version or role");
  }
  phase_ = ipc::kPhaseServing;
  return owner_.OnHello(who_);
}

Status WorkerChannel::TakeDescriptor(const ipc::ProcDescriptor& message, UniqueFd descriptor) {
  if (!ipc::ProcDescriptor::Kind_IsValid(message.kind()) ||
      message.kind() == ipc::ProcDescriptor::KIND_UNSPECIFIED ||
      !descriptors_seen_.insert(message.kind()).second) {
    return Error(ErrorCode::kProtocolViolation, "descriptor of an unknown kind or sent twice");
  }
  events_.OnProcDescriptor(who_, message.kind(), std::move(descriptor));
  return {};
}

}  // namespace baokms::supervisor
