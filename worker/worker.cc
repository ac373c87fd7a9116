#include "worker/worker.h"

#include <memory>
#include <utility>

#include <google/protobuf/message_lite.h>

#include "common/base/error.h"
#include "common/base/event_loop.h"
#include "common/base/heartbeat.h"
#include "common/base/result.h"
#include "common/base/unique_fd.h"
#include "common/openbao/api.h"
#include "ipc/channel.h"
#include "ipc/child_descriptors.h"
#include "ipc/child_process.h"
#include "ipc/dispatch.h"
#include "ipc/link.h"
#include "ipc/message_type.h"
#include "proto/ipc.pb.h"
#include "proto/setup.pb.h"
#include "worker/dispatch_table.h"
#include "worker/kms_operations.h"
#include "worker/limits.h"
#include "worker/token_source.h"
#include "worker/transit.h"
#include "worker/worker_options.h"

namespace baokms::worker {

using Type = ipc::MessageType;

Result<std::unique_ptr<Worker>> Worker::Prepare(const ipc::WorkerSetup& setup,
                                                WorkerChannels channels) {
  WorkerOptions options = BAOKMS_TRY(ReadSetup(setup));
  std::unique_ptr<EventLoop> loop = BAOKMS_TRY(EventLoop::Create());
  std::unique_ptr<Worker> worker(new Worker(std::move(loop), options));
  BAOKMS_TRY(worker->Open(std::move(options), std::move(channels)));
  return worker;
}

Worker::Worker(std::unique_ptr<EventLoop> loop, const WorkerOptions& options)
    : loop_(std::move(loop)),
      log_(options.log_level,
           [this](const ipc::LogRecord& record) {
             // Lost when it cannot be sent: a supervisor that is gone is noticed by reading.
             (void)!supervisor_->Send(Type::kLogRecord, record).has_value();
           }),
      connector_(*loop_,
                 {.request = [this](const auto& message) { Tell(Type::kConnectRequest, message); },
                  .verdict =
                      [this](const auto& message) {
                        Tell(Type::kConnectVerdict, message);
                      }}) {
}

Status Worker::Open(WorkerOptions options, WorkerChannels channels) {
  client_ = BAOKMS_TRY(openbao::Client::Create(*loop_, connector_, std::move(options.openbao)));
  transit_ = MakeTransit(*client_);
  tokens_ = std::make_unique<TokenSource>(
      TokenSurroundings{*loop_, *transit_, log_,
                        [this](const ipc::LoginRequest& request) { AskAgent(request); },
                        [this](const ipc::TokenStatus& status) {
                          Tell(Type::kTokenStatus, status);
                        }},
      options.token, options.renewal_increment_seconds);
  operations_ = std::make_unique<KmsOperations>(
      TokenCall::Sources{*tokens_, *transit_}, std::move(options.identity),
      std::move(options.plugin_version),
      [this](Type type, const google::protobuf::MessageLite& message) { Tell(type, message); });
  const Receivers receivers{
      [this](const ipc::HelloAnswer& answer) { return OnHelloAnswer(answer); },
      [this](const ipc::Tunables& tunables) { return OnTunables(tunables); }, connector_,
      *operations_, *tokens_};
  from_supervisor_ = FromSupervisor(receivers);
  from_agent_ = FromAgent(receivers);
  supervisor_ = BAOKMS_TRY(ipc::Link::Create(
      *loop_, std::move(channels.supervisor), ipc::LinkKind::kGeneral,
      [this](ipc::Datagram datagram) {
        return from_supervisor_.Deliver(std::move(datagram), phase_);
      },
      [this](const Error& error) { OnSupervisorClosed(error); }));
  // The spawner keeps both ends of this channel, so that its end of file is a breach, too.
  agent_ = BAOKMS_TRY(ipc::Link::Create(
      *loop_, std::move(channels.agent), ipc::LinkKind::kToken,
      [this](ipc::Datagram datagram) {
        return from_agent_.Deliver(std::move(datagram), ipc::kPhaseServing);
      },
      [this](const Error&) { End(ipc::ExitCode::kPeerBreach); }));
  heartbeat_ = BAOKMS_TRY(Heartbeat::Create(*loop_));
  return {};
}

ipc::ExitCode Worker::Run(ipc::ProcFiles proc, const ipc::ConfinementReport& confinement) {
  if (const Status introduced = Introduce(std::move(proc), confinement); !introduced) {
    return introduced.error().code() == ErrorCode::kUnavailable ? ipc::ExitCode::kSupervisorGone
                                                                : ipc::ExitCode::kLoopFailed;
  }
  tokens_->Start();
  return loop_->Run() ? end_ : ipc::ExitCode::kLoopFailed;
}

Status Worker::Introduce(ipc::ProcFiles proc, const ipc::ConfinementReport& confinement) {
  ipc::Hello hello;
  hello.set_protocol_version(ipc::kProtocolVersion);
  hello.set_role(ipc::ROLE_WORKER);
  BAOKMS_TRY(supervisor_->Send(Type::kHello, hello));
  BAOKMS_TRY(SendProc(ipc::ProcDescriptor::KIND_STATUS, std::move(proc.status)));
  BAOKMS_TRY(SendProc(ipc::ProcDescriptor::KIND_STATM, std::move(proc.statm)));
  BAOKMS_TRY(SendProc(ipc::ProcDescriptor::KIND_LIMITS, std::move(proc.limits)));
  return supervisor_->Send(Type::kConfinementReport, confinement);
}

Status Worker::SendProc(ipc::ProcDescriptor::Kind kind, UniqueFd file) {
  ipc::ProcDescriptor message;
  message.set_kind(kind);
  return supervisor_->Send(Type::kProcDescriptor, message, std::move(file));
}

Status Worker::OnHelloAnswer(const ipc::HelloAnswer& answer) {
  if (answer.protocol_version() != ipc::kProtocolVersion || answer.role() != ipc::ROLE_SUPERVISOR) {
    return Error(ErrorCode::kProtocolViolation, "HelloAnswer of another program");
  }
  phase_ = ipc::kPhaseServing;
  return {};
}

Status Worker::OnTunables(const ipc::Tunables& tunables) {
  if (tunables.log_level() > static_cast<std::uint32_t>(LogLevel::kError) ||
      tunables.refresh_before_ns() <= 0 ||
      tunables.refresh_before_ns() > kLongestLeaseSeconds * 1'000'000'000) {
    return Error(ErrorCode::kProtocolViolation, "Tunables out of range");
  }
  log_.SetLowest(static_cast<LogLevel>(tunables.log_level()));
  tokens_->SetRefreshBefore(BootTime(tunables.refresh_before_ns()));
  return {};
}

void Worker::Tell(ipc::MessageType type, const google::protobuf::MessageLite& message) {
  if (const Status sent = supervisor_->Send(type, message); !sent) {
    // Gone, or it has not read for megabytes: either way nobody hears us.
    OnSupervisorClosed(sent.error());
  }
}

void Worker::AskAgent(const ipc::LoginRequest& request) {
  if (!agent_->Send(Type::kLoginRequest, request)) {
    End(ipc::ExitCode::kPeerBreach);
  }
}

void Worker::OnSupervisorClosed(const Error& error) {
  End(ipc::ExitCodeAfter(error));
}

void Worker::End(ipc::ExitCode code) {
  end_ = code;
  loop_->Stop();
}

}  // namespace baokms::worker
