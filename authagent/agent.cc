#include "authagent/agent.h"

#include <cerrno>
#include <cstdint>

#include <fcntl.h>

#include <memory>
#include <string>

#include <unistd.h>

#include <utility>

#include "authagent/credential.h"
#include "authagent/dispatch_tables.h"
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
#include "ipc/channel.h"
#include "ipc/child_descriptors.h"
#include "ipc/child_process.h"
#include "ipc/link.h"
#include "ipc/message_type.h"
#include "ipc/token_message.h"
#include "proto/ipc.pb.h"
#include "proto/setup.pb.h"

namespace baokms::authagent {
namespace {

// A login uses a connection of its own; one per slot at the same time.
constexpr std::uint32_t kMaxConnections = ipc::kMaxWorkers;

Status CheckSetup(const ipc::AgentSetup& setup, const AgentChannels& channels) {
  const bool complete = setup.has_openbao() && setup.openbao().endpoints_size() > 0 &&
                        setup.credential_case() != ipc::AgentSetup::CREDENTIAL_NOT_SET &&
                        setup.has_jwt() != setup.has_pkcs11() && !setup.auth_mount().empty() &&
                        setup.login_timeout_ns() > 0 && setup.longest_backoff_ns() > 0 &&
                        setup.login_budget_per_minute() > 0;
  const bool slots = setup.workers() > 0 && setup.workers() <= ipc::kMaxWorkers &&
                     setup.workers() == channels.workers.size();
  if (!complete || !slots || setup.log_level() > static_cast<std::uint32_t>(LogLevel::kError)) {
    return Error(ErrorCode::kInvalidArgument, "set-up of the auth agent incomplete");
  }
  return {};
}

openbao::ClientOptions ToClientOptions(const ipc::OpenBaoSetup& setup) {
  openbao::ClientOptions options;
  for (const ipc::EndpointSetup& endpoint : setup.endpoints()) {
    options.endpoints.push_back(
        {endpoint.host(), static_cast<std::uint16_t>(endpoint.port()), endpoint.path_prefix()});
  }
  options.ca_pem = setup.ca_pem();
  options.server_name = setup.server_name();
  options.namespace_path = setup.namespace_path();
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
                                              AgentChannels channels,
                                              Narrow narrow) {
  BAOKMS_TRY(CheckSetup(setup, channels));
  UniqueFd supervisor = std::move(channels.supervisor);
  std::unique_ptr<EventLoop> loop = BAOKMS_TRY(EventLoop::Create());
  std::unique_ptr<Agent> agent(new Agent(std::move(loop), setup, std::move(channels)));
  agent->narrow_ = std::move(narrow);
  BAOKMS_TRY(agent->Open(setup, std::move(supervisor)));
  return agent;
}

Agent::Agent(std::unique_ptr<EventLoop> loop, const ipc::AgentSetup& setup, AgentChannels channels)
    : loop_(std::move(loop)),
      supervisor_table_(SupervisorTable(
          {.hello_answer = [this](const ipc::HelloAnswer& answer) { return OnHelloAnswer(answer); },
           .tunables = [this](const ipc::Tunables& tunables) { return OnTunables(tunables); },
           .connect_answer =
               [this](const ipc::ConnectAnswer& answer, UniqueFd fd) {
                 return connector_.OnAnswer(answer, std::move(fd));
               },
           .pin_attempt_answer =
               [this](const ipc::PinAttemptAnswer& answer) {
                 return OnPinAttemptAnswer(answer);
               }})),
      // A record or a verdict that cannot be sent is lost; a supervisor that is gone is noticed by
      // reading.
      log_(static_cast<LogLevel>(setup.log_level()),
           [this](const ipc::LogRecord& record) {
             (void)!supervisor_->Send(ipc::MessageType::kLogRecord, record).has_value();
           }),
      connector_(
          *loop_,
          {.request =
               [this](const ipc::ConnectRequest& request) {
                 (void)!supervisor_->Send(ipc::MessageType::kConnectRequest, request).has_value();
               },
           .verdict =
               [this](const ipc::ConnectVerdict& verdict) {
                 (void)!supervisor_->Send(ipc::MessageType::kConnectVerdict, verdict).has_value();
               }}),
      mute_(setup.longest_backoff_ns()) {
  for (Slot slot = 0; slot < channels.workers.size(); ++slot) {
    seats_.push_back({std::move(channels.workers[slot]), nullptr,
                      WorkerTable([this, slot](const ipc::LoginRequest& request) {
                        return desk_->Request(slot, request);
                      })});
  }
}

Status Agent::Open(const ipc::AgentSetup& setup, UniqueFd supervisor) {
  supervisor_ = BAOKMS_TRY(ipc::Link::Create(
      *loop_, std::move(supervisor), ipc::LinkKind::kGeneral,
      [this](ipc::Datagram datagram) {
        return supervisor_table_.Deliver(std::move(datagram), phase_);
      },
      [this](const Error& error) { OnSupervisorClosed(error); }));
  client_ =
      BAOKMS_TRY(openbao::Client::Create(*loop_, connector_, ToClientOptions(setup.openbao())));
  api_ = std::make_unique<ClientLoginApi>(*client_);
  BAOKMS_TRY(OpenCredential(setup));
  LoginOutlet& outlet = *this;  // a private base: only a member may convert
  desk_ = std::make_unique<LoginService>(*loop_, *credential_, *api_, outlet, log_,
                                         ToLoginOptions(setup));
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
  poster_ =
      BAOKMS_TRY(openbao::FormPoster::Create(*loop_, connector_, ToPostOptions(setup.oauth2())));
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
  // What cannot be sent is not said: a supervisor that is gone is noticed by reading.
  host.begin_attempt = [this](std::uint16_t tag) {
    ipc::PinAttemptBegin begin;
    begin.set_tag(tag);
    (void)!supervisor_->Send(ipc::MessageType::kPinAttemptBegin, begin).has_value();
  };
  host.end_attempt = [this](ipc::PinAttemptEnd::Result result) {
    ipc::PinAttemptEnd end;
    end.set_result(result);
    (void)!supervisor_->Send(ipc::MessageType::kPinAttemptEnd, end).has_value();
  };
  host.confine = [this] {
    return Confine();
  };
  host.changed = [this] {
    desk_->CheckCredential();
  };
  host.end = [this](ipc::ExitCode code) {
    End(code);
  };
  auto credential =
      std::make_unique<HsmCredential>(*loop_, *native_thread_, log_, BAOKMS_TRY(ToSelection(setup)),
                                      ToHsmOptions(setup, call_limit), std::move(host));
  hsm_ = credential.get();
  credential_ = std::move(credential);
  return {};
}

Status Agent::Confine() {
  confinement_.set_filter_name(BAOKMS_TRY(narrow_()));
  return supervisor_->Send(ipc::MessageType::kConfinementReport, confinement_);
}

ipc::ExitCode Agent::Run(ipc::ProcFiles proc, const ipc::ConfinementReport& confinement) {
  if (const Status introduced = Introduce(std::move(proc), confinement); !introduced) {
    return introduced.error().code() == ErrorCode::kUnavailable ? ipc::ExitCode::kSupervisorGone
                                                                : ipc::ExitCode::kLoopFailed;
  }
  return loop_->Run() ? end_ : ipc::ExitCode::kLoopFailed;
}

Status Agent::Introduce(ipc::ProcFiles proc, const ipc::ConfinementReport& confinement) {
  ipc::Hello hello;
  hello.set_protocol_version(ipc::kProtocolVersion);
  hello.set_role(ipc::ROLE_AUTH_AGENT);
  BAOKMS_TRY(supervisor_->Send(ipc::MessageType::kHello, hello));
  BAOKMS_TRY(SendProc(ipc::ProcDescriptor::KIND_STATUS, std::move(proc.status)));
  BAOKMS_TRY(SendProc(ipc::ProcDescriptor::KIND_STATM, std::move(proc.statm)));
  BAOKMS_TRY(SendProc(ipc::ProcDescriptor::KIND_LIMITS, std::move(proc.limits)));
  confinement_ = confinement;
  return supervisor_->Send(ipc::MessageType::kConfinementReport, confinement_);
}

Status Agent::SendProc(ipc::ProcDescriptor::Kind kind, UniqueFd file) {
  ipc::ProcDescriptor message;
  message.set_kind(kind);
  return supervisor_->Send(ipc::MessageType::kProcDescriptor, message, std::move(file));
}

Status Agent::OnHelloAnswer(const ipc::HelloAnswer& answer) {
  if (answer.protocol_version() != ipc::kProtocolVersion || answer.role() != ipc::ROLE_SUPERVISOR) {
    return Error(ErrorCode::kProtocolViolation, "HelloAnswer of another program");
  }
  phase_ = ipc::kPhaseServing;
  for (Slot slot = 0; slot < seats_.size(); ++slot) {
    if (const Status opened = OpenSeat(slot); !opened) {
      End(ipc::ExitCode::kLoopFailed);
      return {};
    }
  }
  if (hsm_ != nullptr) {
    hsm_->Start();
  }
  desk_->CheckCredential();
  loop_->After(kCredentialPoll, [this] { PollCredential(); });
  return {};
}

Status Agent::OnTunables(const ipc::Tunables& tunables) {
  if (tunables.log_level() > static_cast<std::uint32_t>(LogLevel::kError)) {
    return Error(ErrorCode::kProtocolViolation, "Tunables out of range");
  }
  log_.SetLowest(static_cast<LogLevel>(tunables.log_level()));
  return {};
}

Status Agent::OnPinAttemptAnswer(const ipc::PinAttemptAnswer& answer) {
  if (hsm_ == nullptr) {
    return Error(ErrorCode::kProtocolViolation, "PinAttemptAnswer to an agent without a module");
  }
  return hsm_->OnPinAnswer(answer.verdict());
}

void Agent::OnSupervisorClosed(const Error& error) {
  End(ipc::ExitCodeAfter(error));
}

void Agent::End(ipc::ExitCode code) {
  end_ = code;
  loop_->Stop();
}

Status Agent::OpenSeat(Slot slot) {
  WorkerSlotChannel& seat = seats_[slot];
  UniqueFd channel(::fcntl(seat.channel.get(), F_DUPFD_CLOEXEC, 3));
  if (!channel.valid()) {
    return Error(ErrorCode::kSystem, "fcntl(F_DUPFD_CLOEXEC)", errno);
  }
  seat.link = BAOKMS_TRY(ipc::Link::Create(
      *loop_, std::move(channel), ipc::LinkKind::kToken,
      [&seat](ipc::Datagram datagram) {
        return seat.table.Deliver(std::move(datagram), ipc::kPhaseServing);
      },
      [this, slot](const Error& error) { CloseSeat(slot, error); }));
  seat.closing = false;
  return {};
}

// May be called from inside the link's own callbacks, so that the link is destroyed later.
void Agent::CloseSeat(Slot slot, const Error& error) {
  WorkerSlotChannel& seat = seats_[slot];
  if (std::exchange(seat.closing, true)) {
    return;
  }
  loop_->Post([&seat] { seat.link.reset(); });
  if (error.code() == ErrorCode::kUnavailable) {
    return;  // the spawner is gone and so is this worker; nobody can fill the slot again
  }
  log_.Write({LogLevel::kError,
              "auth.worker_muted",
              {{"operation", "auth.login"},
               {"slot", static_cast<std::int64_t>(slot)},
               {"reason", std::string(error.what())}}});
  loop_->After(mute_, [this, slot] { ReopenSeat(slot); });
}

void Agent::ReopenSeat(Slot slot) {
  if (const Status opened = OpenSeat(slot); !opened) {
    End(ipc::ExitCode::kLoopFailed);
  }
}

void Agent::PollCredential() {
  desk_->Watch();
  loop_->After(kCredentialPoll, [this] { PollCredential(); });
}

void Agent::SendToken(Slot slot, const ipc::TokenMessage& token) {
  WorkerSlotChannel& seat = seats_[slot];
  if (seat.link == nullptr || seat.closing) {
    return;
  }
  const Result<SecretBuffer> body = ipc::EncodeToken(token);
  const Status sent =
      body ? seat.link->SendBytes(ipc::MessageType::kToken, body->Reveal()) : Status(body.error());
  if (!sent) {
    CloseSeat(slot, sent.error());
  }
}

void Agent::SendFailure(Slot slot, const ipc::LoginFailed& failure) {
  WorkerSlotChannel& seat = seats_[slot];
  if (seat.link == nullptr || seat.closing) {
    return;
  }
  if (const Status sent = seat.link->Send(ipc::MessageType::kLoginFailed, failure); !sent) {
    CloseSeat(slot, sent.error());
  }
}

void Agent::SendStatus(const ipc::AgentStatus& status) {
  if (const Status sent = supervisor_->Send(ipc::MessageType::kAgentStatus, status); !sent) {
    // Gone, or it has not read for megabytes: either way nobody hears us.
    OnSupervisorClosed(sent.error());
  }
}

}  // namespace baokms::authagent
