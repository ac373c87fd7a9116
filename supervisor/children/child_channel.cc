#include "supervisor/children/child_channel.h"

#include <sys/random.h>

#include <algorithm>
#include <cerrno>
#include <iterator>

#include "ipc/channel.h"
#include "ipc/limits.h"

namespace baokms::supervisor {
namespace {

using ipc::MessageType;

constexpr std::uint32_t kAnyPhase = ipc::kPhaseHello | ipc::kPhaseServing;

}  // namespace

ChildChannel::ChildChannel(EventLoop& loop, const ChildProcess& who, ChildEvents& events)
    : loop_(loop), who_(who), events_(events) {
  Accept<ipc::Hello>(
      MessageType::kHello, [this](const ipc::Hello& hello) { return TakeHello(hello); },
      ipc::kPhaseHello);
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

// A descriptor that was sent costs until it is received, so that the request counts until then.
Status ChildChannel::AnswerConnect(ipc::ConnectAnswer answer, UniqueFd socket) {
  std::uint64_t receipt = 0;
  if (::getrandom(&receipt, sizeof receipt, 0) != static_cast<ssize_t>(sizeof receipt)) {
    return Error(ErrorCode::kSystem, "getrandom", errno);
  }
  answer.set_receipt(receipt);
  receipts_.push_back(receipt);
  return link_->Send(MessageType::kConnectAnswer, answer, std::move(socket));
}

Status ChildChannel::TakeReceipt(std::uint64_t receipt) {
  if (receipt == last_receipt_) {
    return {};
  }
  const auto found = std::ranges::find(receipts_, receipt);
  if (found == receipts_.end()) {
    return Error(ErrorCode::kProtocolViolation, "receipt of an answer that was not sent");
  }
  const auto end = std::next(found);
  CountAnswers(MessageType::kConnectRequest,
               static_cast<std::size_t>(std::distance(receipts_.begin(), end)));
  receipts_.erase(receipts_.begin(), end);
  last_receipt_ = receipt;
  return {};
}

Status ChildChannel::CountRequest(MessageType request) {
  std::size_t& unanswered = unanswered_[request];
  if (unanswered >= ipc::LimitsOf(request).unanswered) {
    return Error(ErrorCode::kProtocolViolation, "more unanswered requests than a child may have");
  }
  ++unanswered;
  return {};
}

void ChildChannel::CountAnswers(MessageType request, std::size_t answers) {
  std::size_t& unanswered = unanswered_[request];
  unanswered -= std::min(unanswered, answers);
}

// A process may report about itself before its Hello: it is confined by then, or has failed to be.
void ChildChannel::AcceptReports() {
  dispatch_.AddWithDescriptor<ipc::ProcDescriptor>(
      MessageType::kProcDescriptor, kAnyPhase, ipc::Descriptor::kRequired,
      [this](const ipc::ProcDescriptor& message, UniqueFd descriptor) {
        return TakeDescriptor(message, std::move(descriptor));
      });
  Accept<ipc::ConfinementReport>(
      MessageType::kConfinementReport,
      [this](const ipc::ConfinementReport& report) { return TakeConfinement(report); }, kAnyPhase);
  Accept<ipc::LogRecord>(
      MessageType::kLogRecord,
      [this](const ipc::LogRecord& record) { events_.OnLogRecord(who_, record); }, kAnyPhase);
  Accept<ipc::SyscallRefused>(
      MessageType::kSyscallRefused,
      [this](const ipc::SyscallRefused& refused) {
        events_.OnSyscallRefused(who_, refused.number());
      },
      kAnyPhase);
  Accept<ipc::StartFailure>(
      MessageType::kStartFailure,
      [this](const ipc::StartFailure& failure) { events_.OnStartFailure(who_, failure); },
      ipc::kPhaseHello);
}

void ChildChannel::AcceptConnectRequests() {
  Accept<ipc::ConnectRequest>(
      MessageType::kConnectRequest,
      [this](const ipc::ConnectRequest& request) { return TakeConnectRequest(request); });
  Accept<ipc::ConnectReport>(MessageType::kConnectReport, [this](const ipc::ConnectReport& report) {
    events_.OnConnectReport(who_, report);
  });
}

void ChildChannel::Ping() {
  if (!std::exchange(ping_unanswered_, true)) {
    // Not received by a child that is gone, which is noticed when reading.
    (void)link_->Send(MessageType::kPing, ipc::Ping()).has_value();
  }
}

void ChildChannel::AcceptPongs(std::function<void()> heard) {
  Accept<ipc::Pong>(MessageType::kPong,
                    [this, heard = std::move(heard)](const ipc::Pong& /*pong*/) -> Status {
                      if (!std::exchange(ping_unanswered_, false)) {
                        return Error(ErrorCode::kProtocolViolation, "Pong without a Ping");
                      }
                      heard();
                      return {};
                    });
}

void ChildChannel::ReportCalls(const google::protobuf::RepeatedPtrField<ipc::OpenBaoCall>& calls) {
  for (const ipc::OpenBaoCall& call : calls) {
    events_.OnCall(who_, call);
  }
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
  BAOKMS_TRY(TakeReceipt(request.receipt()));
  BAOKMS_TRY(CountRequest(MessageType::kConnectRequest));
  return events_.OnConnectRequest(who_, request);
}

}  // namespace baokms::supervisor
