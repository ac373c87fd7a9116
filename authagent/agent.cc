#include "authagent/agent.h"

#include <sys/syscall.h>
#include <fcntl.h>

#include <cerrno>
#include <optional>
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
#include "ipc/refused_syscall.h"

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
                                              UniqueFd spawner) {
  BAOKMS_TRY(setup::CheckAgentSetup(setup));
  if (setup.workers() == 0 || setup.workers() > ipc::kMaxWorkers) {
    return Error(ErrorCode::kInvalidArgument, "set-up: isolation.workers");
  }
  BAOKMS_TRY(session.Open(static_cast<LogLevel>(setup.log_level())));
  std::unique_ptr<Agent> agent(new Agent(session, setup, std::move(spawner)));
  BAOKMS_TRY(agent->Open(setup));
  return agent;
}

Agent::Agent(ipc::ChildSession& session, const ipc::AgentSetup& setup, UniqueFd spawner)
    : session_(session),
      spawner_(std::move(spawner)),
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
  for (Slot slot = 0; slot < setup.workers(); ++slot) {
    ipc::Dispatch table;
    table.Add<ipc::LoginRequest>(MessageType::kLoginRequest, ipc::kPhaseServing,
                                 [this, slot](const ipc::LoginRequest& request) -> Status {
                                   login_->Request(slot, request);
                                   return {};
                                 });
    std::optional<uid_t> user;
    if (setup.worker_uids_size() > 0) {
      user = setup.worker_uids(static_cast<int>(slot));
    }
    slot_channels_.push_back({.table = std::move(table), .user = user});
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
  // Only the filter of this thread refuses what vendor code may do.
  confinement_.set_refused_syscall(BAOKMS_TRY(ipc::ProveRefused(SYS_uname)));
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
  const Status accepted =
      session_.AcceptPeers(std::move(spawner_), [this](const ipc::PeerChannel& peer, UniqueFd end) {
        return OnWorkerChannel(peer.slot(), std::move(end));
      });
  if (!accepted) {
    return session_.End(ipc::ExitCode::kLoopFailed);
  }
  credential_->Start();
  login_->CheckCredential();
  session_.loop().After(kCredentialPoll, [this] { PollCredential(); });
}

// A new worker, whatever the last one in its slot did.
Status Agent::OnWorkerChannel(Slot slot, UniqueFd channel) {
  if (slot >= slot_channels_.size()) {
    return Error(ErrorCode::kProtocolViolation, "channel of a slot that does not exist");
  }
  session_.loop().Cancel(slot_channels_[slot].unmute);
  slot_channels_[slot].channel = std::move(channel);
  return OpenSlotChannel(slot);
}

Status Agent::OpenSlotChannel(Slot slot) {
  WorkerSlotChannel& slot_channel = slot_channels_[slot];
  UniqueFd channel(::fcntl(slot_channel.channel.get(), F_DUPFD_CLOEXEC, 3));
  if (!channel.valid()) {
    return Error(ErrorCode::kSystem, "fcntl(F_DUPFD_CLOEXEC)", errno);
  }
  slot_channel.link = BAOKMS_TRY(ipc::Link::Create(
      session_.loop(), std::move(channel), ipc::LinkKind::kToken,
      [&slot_channel](ipc::Datagram datagram) -> Status {
        if (slot_channel.user && datagram.sender != slot_channel.user) {
          return Error(ErrorCode::kProtocolViolation, "message of another user than the worker's");
        }
        return slot_channel.table.Deliver(std::move(datagram), ipc::kPhaseServing);
      },
      [this, slot](const Error& error) { OnSlotClosed(slot, error); }));
  return {};
}

// Called by the link itself, which is therefore destroyed later.
void Agent::OnSlotClosed(Slot slot, const Error& error) {
  WorkerSlotChannel& slot_channel = slot_channels_[slot];
  session_.loop().Post([link = std::shared_ptr<ipc::Link>(std::move(slot_channel.link))] {});
  if (error.code() == ErrorCode::kUnavailable) {
    slot_channel.channel.reset();  // the worker is gone; the next one has a channel of its own
    return;
  }
  session_.log().Write({LogLevel::kError,
                        "auth.worker_muted",
                        {{"operation", "auth.login"},
                         {"slot", static_cast<std::int64_t>(slot)},
                         {"reason", std::string(error.what())}}});
  slot_channel.unmute = session_.loop().After(mute_duration_, [this, slot] {
    if (!OpenSlotChannel(slot)) {
      session_.End(ipc::ExitCode::kLoopFailed);
    }
  });
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

// What cannot be sent is lost: that a worker is gone is detected when reading.
void Agent::SendTo(Slot slot, const std::function<Status(ipc::Link&)>& send) {
  if (slot_channels_[slot].link != nullptr) {
    (void)send(*slot_channels_[slot].link).has_value();
  }
}

void Agent::SendStatus(const ipc::AgentStatus& status) {
  session_.Tell(MessageType::kAgentStatus, status);
}

}  // namespace baokms::authagent
