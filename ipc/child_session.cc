#include "ipc/child_session.h"

#include <cstdint>
#include <string>
#include <utility>

#include "ipc/channel.h"
#include "ipc/limits.h"

namespace baokms::ipc {

ChildSession::ChildSession(Role role, UniqueFd supervisor)
    : role_(role),
      supervisor_(std::move(supervisor)),
      log_(LogLevel::kInfo, [this](const LogRecord& record) {
        (void)link_->Send(MessageType::kLogRecord, record).has_value();
      }) {
  table_.Add<HelloAnswer>(MessageType::kHelloAnswer, kPhaseHello,
                          [this](const HelloAnswer&) -> Status {
                            phase_ = kPhaseServing;
                            greeted_();
                            return {};
                          });
  table_.Add<Ping>(MessageType::kPing, kPhaseServing, [this](const Ping&) -> Status {
    Tell(MessageType::kPong, Pong());
    return {};
  });
}

Status ChildSession::Open(LogLevel lowest) {
  log_.SetLowest(lowest);
  loop_ = BAOKMS_TRY(EventLoop::Create());
  link_ = BAOKMS_TRY(Link::Create(
      *loop_, std::move(supervisor_), LinkKind::kGeneral,
      [this](Datagram datagram) { return table_.Deliver(std::move(datagram), phase_); },
      [this](const Error& why) { End(ExitCodeAfter(why)); }));
  heartbeat_ = BAOKMS_TRY(Heartbeat::Create(*loop_));
  return {};
}

void ChildSession::AcceptTunables(std::function<void(const Tunables&)> apply) {
  table_.Add<Tunables>(MessageType::kTunables, kPhaseServing,
                       [this, apply = std::move(apply)](const Tunables& tunables) -> Status {
                         log_.SetLowest(static_cast<LogLevel>(tunables.log_level()));
                         apply(tunables);
                         return {};
                       });
}

Status ChildSession::AcceptPeers(UniqueFd channel,
                                 std::function<Status(const PeerChannel&, UniqueFd)> accept) {
  from_spawner_.AddWithDescriptor<PeerChannel>(MessageType::kPeerChannel, kPhaseServing,
                                               Descriptor::kRequired, std::move(accept));
  spawner_ = BAOKMS_TRY(Link::Create(
      *loop_, std::move(channel), LinkKind::kToken,
      [this](Datagram datagram) {
        return from_spawner_.Deliver(std::move(datagram), kPhaseServing);
      },
      [this](const Error& why) {
        if (why.code() != ErrorCode::kUnavailable) {
          End(ExitCodeAfter(why));
        }
      }));
  return {};
}

void ChildSession::Tell(MessageType type, const google::protobuf::MessageLite& message) {
  if (const Status sent = link_->Send(type, message); !sent) {
    End(ExitCodeAfter(sent.error()));
  }
}

Status ChildSession::SendProc(ProcDescriptor::Kind kind, UniqueFd file) {
  ProcDescriptor message;
  message.set_kind(kind);
  return link_->Send(MessageType::kProcDescriptor, message, std::move(file));
}

Status ChildSession::Introduce(ProcFiles proc, const ConfinementReport& confinement) {
  Hello hello;
  hello.set_protocol_version(kProtocolVersion);
  hello.set_role(role_);
  BAOKMS_TRY(link_->Send(MessageType::kHello, hello));
  BAOKMS_TRY(SendProc(ProcDescriptor::KIND_STATUS, std::move(proc.status)));
  BAOKMS_TRY(SendProc(ProcDescriptor::KIND_STATM, std::move(proc.statm)));
  return link_->Send(MessageType::kConfinementReport, confinement);
}

ExitCode ChildSession::Run(std::function<void()> greeted) {
  greeted_ = std::move(greeted);
  return loop_->Run() ? end_ : ExitCode::kLoopFailed;
}

void ChildSession::End(ExitCode code) {
  end_ = code;
  loop_->Stop();
}

int RunChild(Role role, const std::function<Status(ChildSession&)>& start) {
  ChildSession session(role, UniqueFd(kSupervisorChannel));
  if (const Status started = start(session); !started) {
    SendStartFailure(kSupervisorChannel, started.error());
  }
  return static_cast<int>(ExitCode::kStartFailed);
}

void SendStartFailure(int channel, const Error& why) {
  StartFailure message;
  message.set_code(static_cast<std::uint32_t>(why.code()));
  message.set_sys_errno(static_cast<std::uint32_t>(why.sys_errno()));
  message.set_step(std::string(why.what().substr(0, kMaxStep)));
  if (const auto encoded = EncodedMessage::Encode(MessageType::kStartFailure, message)) {
    (void)SendDatagram(channel, *encoded, -1).has_value();
  }
}

}  // namespace baokms::ipc
