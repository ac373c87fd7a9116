#include "authagent/agent.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "authagent/credential.h"
#include "authagent/jwt_claims.h"
#include "authagent/jwt_file.h"
#include "authagent/login.h"
#include "authagent/login_api.h"
#include "authagent/oauth2.h"
#include "authagent/oauth2_form.h"
#include "authagent/pkcs11/hsm_credential.h"
#include "authagent/pkcs11/key_selection.h"
#include "authagent/pkcs11/native_thread.h"
#include "authagent/pkcs11/provider_key.h"
#include "common/base/clock.h"
#include "common/base/error.h"
#include "common/base/event_loop.h"
#include "common/base/log.h"
#include "common/base/result.h"
#include "common/base/secret_buffer.h"
#include "common/base/unique_fd.h"
#include "common/openbao/api.h"
#include "common/openbao/form_post.h"
#include "common/setup/set_up_checks.h"
#include "ipc/channel.h"
#include "ipc/child_descriptors.h"
#include "ipc/child_process.h"
#include "ipc/child_session.h"
#include "ipc/dispatch.h"
#include "ipc/link.h"
#include "ipc/message_type.h"
#include "ipc/token_message.h"
#include "proto/ipc.pb.h"
#include "proto/setup.pb.h"

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

JwtRules ToRules(const ipc::JwtSetup& setup) {
  return {
      .min_remaining_s = setup.min_remaining_s(),
      .leeway_s = setup.leeway_s(),
      .expected_issuer = setup.expected_issuer(),
      .expected_audiences = {setup.expected_audiences().begin(), setup.expected_audiences().end()},
      .expected_subject = setup.expected_subject()};
}

OAuth2Credential::Options ToOAuth2Options(const ipc::AgentSetup& setup) {
  const ipc::OAuth2Setup& oauth2 = setup.oauth2();
  const bool post = oauth2.auth_method() == ipc::OAuth2Setup::AUTH_METHOD_POST;
  return {.client_secret_file = oauth2.client_secret_file(),
          .own_user = ::geteuid(),
          .grant = {.client_id = oauth2.client_id(),
                    .auth = post ? ClientAuth::kPost : ClientAuth::kBasic,
                    .scopes = {oauth2.scopes().begin(), oauth2.scopes().end()},
                    .audience = oauth2.audience(),
                    .resources = {oauth2.resources().begin(), oauth2.resources().end()}},
          .rules = ToRules(setup.jwt())};
}

openbao::FormPostOptions ToPostOptions(const ipc::OAuth2Setup& setup) {
  return {
      .url = setup.token_url(),
      .endpoint = setup.endpoint(),
      .route = setup.through_proxy() ? openbao::PostRoute::kTunnel : openbao::PostRoute::kDirect,
      .ca_pem = setup.ca_pem()};
}

LoginOptions ToLoginOptions(const ipc::AgentSetup& setup) {
  return {.auth_mount = setup.auth_mount(),
          .role = setup.has_pkcs11() ? setup.pkcs11().role() : setup.jwt().role(),
          .workers = setup.workers(),
          .timeout = BootTime(setup.login_timeout_ns()),
          .budget_per_minute = setup.login_budget_per_minute()};
}

Result<KeySelection> ToSelection(const ipc::Pkcs11Setup& setup) {
  return setup.uri().empty()
             ? KeySelection::FromLabels(setup.module_path(), setup.token_label(), setup.key_label())
             : KeySelection::FromUri(setup.uri(), setup.module_path());
}

HsmOptions ToHsmOptions(const ipc::Pkcs11Setup& setup, BootTime call_limit) {
  return {.certificate_file = setup.certificate_file(),
          .pin_file = setup.pin_file(),
          .pin_salt = setup.pin_salt(),
          .own_user = ::geteuid(),
          .rules = {.min_remaining_s = setup.min_remaining_s(), .leeway_s = setup.leeway_s()},
          .call_limit = call_limit};
}

}  // namespace

Result<std::unique_ptr<Agent>> Agent::Prepare(const ipc::AgentSetup& setup,
                                              ipc::ChildSession& session,
                                              std::vector<UniqueFd> workers,
                                              Narrow narrow) {
  BAOKMS_TRY(setup::CheckAgentSetup(setup));
  if (setup.workers() > ipc::kMaxWorkers || setup.workers() != workers.size()) {
    return Error(ErrorCode::kInvalidArgument, "set-up: isolation.workers");
  }
  BAOKMS_TRY(session.Open(static_cast<LogLevel>(setup.log_level())));
  std::unique_ptr<Agent> agent(new Agent(session, setup, std::move(workers)));
  agent->narrow_ = std::move(narrow);
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
  table.Add<ipc::PinAttemptAnswer>(
      MessageType::kPinAttemptAnswer, ipc::kPhaseServing,
      [this](const ipc::PinAttemptAnswer& answer) { return OnPinAttemptAnswer(answer); });
}

Status Agent::Open(const ipc::AgentSetup& setup) {
  AcceptFromSupervisor();
  client_ = BAOKMS_TRY(
      openbao::Client::Create(session_.loop(), connector_, LoginClientOptions(setup.openbao())));
  api_ = std::make_unique<ClientLoginApi>(*client_);
  BAOKMS_TRY(OpenCredential(setup));
  LoginOutlet& outlet = *this;  // a private base, which only a member may convert to
  login_ = std::make_unique<LoginService>(session_.loop(), *credential_, *api_, outlet,
                                          session_.log(), ToLoginOptions(setup));
  return {};
}

Status Agent::OpenCredential(const ipc::AgentSetup& setup) {
  if (setup.has_pkcs11()) {
    return OpenModule(setup.pkcs11(), BootTime(setup.login_timeout_ns()));
  }
  if (setup.has_jwt_file()) {
    credential_ = std::make_unique<JwtFile>(JwtFile::Options{
        .path = setup.jwt_file().path(), .own_user = ::geteuid(), .rules = ToRules(setup.jwt())});
    return {};
  }
  poster_ = BAOKMS_TRY(
      openbao::FormPoster::Create(session_.loop(), connector_, ToPostOptions(setup.oauth2())));
  credential_ = std::make_unique<OAuth2Credential>(
      ToOAuth2Options(setup),
      [this](openbao::FormRequest form, BootTime deadline, openbao::FormPoster::Done done) {
        poster_->Post(std::move(form), deadline, std::move(done));
      });
  return {};
}

Status Agent::OpenModule(const ipc::Pkcs11Setup& setup, BootTime call_limit) {
  BAOKMS_TRY(LoadSigningProvider());
  native_thread_ = BAOKMS_TRY(NativeThread::Start());
  HsmHost host;
  host.begin_attempt = [this](std::uint16_t tag) {
    ipc::PinAttemptBegin begin;
    begin.set_tag(tag);
    session_.Tell(MessageType::kPinAttemptBegin, begin);
  };
  host.end_attempt = [this](ipc::PinAttemptEnd::Result result) {
    ipc::PinAttemptEnd end;
    end.set_result(result);
    session_.Tell(MessageType::kPinAttemptEnd, end);
  };
  host.confine = [this] {
    return Confine();
  };
  host.changed = [this] {
    login_->CheckCredential();
  };
  host.end = [this](ipc::ExitCode code) {
    session_.End(code);
  };
  auto credential = std::make_unique<HsmCredential>(
      session_.loop(), *native_thread_, session_.log(), BAOKMS_TRY(ToSelection(setup)),
      ToHsmOptions(setup, call_limit), std::move(host));
  hsm_ = credential.get();
  credential_ = std::move(credential);
  return {};
}

Status Agent::Confine() {
  confinement_.set_filter_name(BAOKMS_TRY(narrow_()));
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
  if (hsm_ != nullptr) {
    hsm_->Start();
  }
  login_->CheckCredential();
  session_.loop().After(kCredentialPoll, [this] { PollCredential(); });
}

Status Agent::OnPinAttemptAnswer(const ipc::PinAttemptAnswer& answer) {
  if (hsm_ == nullptr) {
    return Error(ErrorCode::kProtocolViolation, "PinAttemptAnswer to an agent without a module");
  }
  return hsm_->OnPinAnswer(answer.verdict());
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
  WorkerSlotChannel& slot_channel = slot_channels_[slot];
  if (slot_channel.link == nullptr || slot_channel.closing) {
    return;
  }
  const Result<SecretBuffer> body = ipc::EncodeToken(token);
  const Status sent = body ? slot_channel.link->SendBytes(MessageType::kToken, body->Reveal())
                           : Status(body.error());
  if (!sent) {
    CloseSlotChannel(slot, sent.error());
  }
}

void Agent::SendFailure(Slot slot, const ipc::LoginFailed& failure) {
  WorkerSlotChannel& slot_channel = slot_channels_[slot];
  if (slot_channel.link == nullptr || slot_channel.closing) {
    return;
  }
  if (const Status sent = slot_channel.link->Send(MessageType::kLoginFailed, failure); !sent) {
    CloseSlotChannel(slot, sent.error());
  }
}

void Agent::SendStatus(const ipc::AgentStatus& status) {
  session_.Tell(MessageType::kAgentStatus, status);
}

}  // namespace baokms::authagent
