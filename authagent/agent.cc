#include "authagent/agent.h"

#include <fcntl.h>

#include <cerrno>
#include <string>
#include <utility>

#include "authagent/open_credential.h"
#include "authagent/sandbox.h"
#include "common/base/error.h"
#include "common/base/event_loop.h"
#include "common/base/log.h"
#include "common/base/secret_buffer.h"
#include "common/setup/set_up_checks.h"
#include "ipc/channel.h"
#include "ipc/message_type.h"

namespace baokms::authagent {

using ipc::MessageType;

namespace {

// Every login uses its own connection, and each slot may have one login in progress.
constexpr std::uint32_t kMaxConnections = ipc::kMaxWorkers;

openbao::ClientOptions LoginClientOptions(const ipc::OpenBaoSetup& setup) {
  openbao::ClientOptions options = openbao::ToClientOptions(setup);
  options.max_connections = kMaxConnections;
  return options;
}

}  // namespace

Result<std::unique_ptr<Agent>> Agent::Prepare(const ipc::AgentSetup& setup,
                                              ipc::ChildSession& session,
                                              std::vector<UniqueFd> workers) {
  BAOKMS_TRY(setup::CheckAgentSetup(setup));
  if (setup.workers() > ipc::kMaxWorkers || setup.workers() != workers.size()) {
    return Error(ErrorCode::kInvalidArgument, "set-up: isolation.workers");
  }
  BAOKMS_TRY(session.Open(static_cast<LogLevel>(setup.log_level())));
  std::unique_ptr<Agent> agent(new Agent(session, setup, std::move(workers)));
  BAOKMS_TRY(agent->Open(setup));
  return agent;
}

Agent::Agent(ipc::ChildSession& session,
             const ipc::AgentSetup& setup,
             std::vector<UniqueFd> workers)
    : session_(session),
      connector_(session.loop(),
                 {.request =
                      [this](const auto& message) {
                        session_.Tell(MessageType::kConnectRequest, message);
                      },
                  .report =
                      [this](const auto& message) {
                        session_.Tell(MessageType::kConnectReport, message);
                      }}),
      mute_duration_(setup.longest_backoff_ns()) {
  for (Slot slot = 0; slot < workers.size(); ++slot) {
    ipc::Dispatch table;
    table.Add<ipc::LoginRequest>(MessageType::kLoginRequest, ipc::kPhaseServing,
                                 [this, slot](const ipc::LoginRequest& request) -> Status {
                                   login_->Request(slot, request);
                                   return {};
                                 });
    slot_channels_.push_back({std::move(workers[slot]), nullptr, std::move(table)});
  }
}

void Agent::AcceptFromSupervisor() {
  ipc::Dispatch& table = session_.table();
  session_.AcceptTunables([](const ipc::Tunables&) {});  // only the log level concerns the agent
  table.AddWithDescriptor<ipc::ConnectAnswer>(
      MessageType::kConnectAnswer, ipc::kPhaseServing, ipc::Descriptor::kOptional,
      [this](const ipc::ConnectAnswer& answer, UniqueFd fd) {
        return connector_.OnAnswer(answer, std::move(fd));
      });
  table.Add<ipc::PinAttemptAnswer>(MessageType::kPinAttemptAnswer, ipc::kPhaseServing,
                                   [this](const ipc::PinAttemptAnswer& answer) {
                                     return credential_->OnPinAnswer(answer.verdict());
                                   });
}

Status Agent::Open(const ipc::AgentSetup& setup) {
  AcceptFromSupervisor();
  client_ = BAOKMS_TRY(
      openbao::Client::Create(session_.loop(), connector_, LoginClientOptions(setup.openbao())));
  api_ = std::make_unique<ClientLoginApi>(*client_);
  credential_ = BAOKMS_TRY(
      OpenCredential(setup, {.session = session_,
                             .connector = connector_,
                             .confine = [this, access = setup.module()] { return Confine(access); },
                             .changed =
                                 [this] {
                                   login_->CheckCredential();
                                 }}));
  LoginOutlet& outlet = *this;  // a private base, which only a member may convert to
  login_ = std::make_unique<LoginService>(
      session_.loop(), *credential_, *api_, outlet, session_.log(),
      LoginOptions{.auth_mount = setup.auth_mount(),
                   .workers = setup.workers(),
                   .timeout = BootTime(setup.login_timeout_ns()),
                   .budget_per_minute = setup.login_budget_per_minute()});
  return {};
}

Status Agent::Confine(const ipc::ModuleAccess& access) {
  BAOKMS_TRY(EnterModuleSandbox(access));
  confinement_.set_filter_name(kModuleFilterName);
  session_.Tell(MessageType::kConfinementReport, confinement_);
  return {};
}

ipc::ExitCode Agent::Run(ipc::ProcFiles proc, const ipc::ConfinementReport& confinement) {
  confinement_ = confinement;
  if (const Status introduced = session_.Introduce(std::move(proc), confinement); !introduced) {
    return ipc::ExitCodeAfter(introduced.error());
  }
  return session_.Run([this] { Serve(); });
}

void Agent::Serve() {
  for (Slot slot = 0; slot < slot_channels_.size(); ++slot) {
    if (const Status opened = OpenSlotChannel(slot); !opened) {
      return session_.End(ipc::ExitCode::kLoopFailed);
    }
  }
  credential_->Start();
  login_->CheckCredential();
  session_.loop().After(kCredentialPoll, [this] { PollCredential(); });
}

Status Agent::OpenSlotChannel(Slot slot) {
  WorkerSlotChannel& slot_channel = slot_channels_[slot];
  UniqueFd channel(::fcntl(slot_channel.channel.get(), F_DUPFD_CLOEXEC, 3));
  if (!channel.valid()) {
    return Error(ErrorCode::kSystem, "fcntl(F_DUPFD_CLOEXEC)", errno);
  }
  slot_channel.link = BAOKMS_TRY(ipc::Link::Create(
      session_.loop(), std::move(channel), ipc::LinkKind::kToken,
      [&slot_channel](ipc::Datagram datagram) {
        return slot_channel.table.Deliver(std::move(datagram), ipc::kPhaseServing);
      },
      [this, slot](const Error& error) { CloseSlotChannel(slot, error); }));
  slot_channel.closing = false;
  return {};
}

// May be called from inside the link's own callbacks, so the link is destroyed later.
void Agent::CloseSlotChannel(Slot slot, const Error& error) {
  WorkerSlotChannel& slot_channel = slot_channels_[slot];
  if (std::exchange(slot_channel.closing, true)) {
    return;
  }
  session_.loop().Post([&slot_channel] { slot_channel.link.reset(); });
  if (error.code() == ErrorCode::kUnavailable) {
    return;  // the spawner and this worker are gone; the slot cannot be filled again
  }
  session_.log().Write({LogLevel::kError,
                        "auth.worker_muted",
                        {{"operation", "auth.login"},
                         {"slot", static_cast<std::int64_t>(slot)},
                         {"reason", std::string(error.what())}}});
  session_.loop().After(mute_duration_, [this, slot] { ReopenSlotChannel(slot); });
}

void Agent::ReopenSlotChannel(Slot slot) {
  if (const Status opened = OpenSlotChannel(slot); !opened) {
    session_.End(ipc::ExitCode::kLoopFailed);
  }
}

void Agent::PollCredential() {
  login_->Watch();
  session_.loop().After(kCredentialPoll, [this] { PollCredential(); });
}

void Agent::SendToken(Slot slot, const ipc::TokenMessage& token) {
  SendTo(slot, [&token](ipc::Link& link) -> Status {
    const SecretBuffer body = BAOKMS_TRY(ipc::EncodeToken(token));
    return link.SendBytes(MessageType::kToken, body.Reveal());
  });
}

void Agent::SendFailure(Slot slot, const ipc::LoginFailed& failure) {
  SendTo(slot,
         [&failure](ipc::Link& link) { return link.Send(MessageType::kLoginFailed, failure); });
}

void Agent::SendTo(Slot slot, const std::function<Status(ipc::Link&)>& send) {
  const WorkerSlotChannel& slot_channel = slot_channels_[slot];
  if (slot_channel.link == nullptr || slot_channel.closing) {
    return;
  }
  if (const Status sent = send(*slot_channel.link); !sent) {
    CloseSlotChannel(slot, sent.error());
  }
}

void Agent::SendStatus(const ipc::AgentStatus& status) {
  session_.Tell(MessageType::kAgentStatus, status);
}

}  // namespace baokms::authagent
