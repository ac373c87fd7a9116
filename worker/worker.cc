#include "worker/worker.h"

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <utility>

#include <google/protobuf/message_lite.h>

#include "common/base/error.h"
#include "common/base/event_loop.h"
#include "common/base/log.h"
#include "ipc/channel.h"
#include "ipc/message_type.h"
#include "worker/operations.h"

namespace baokms::worker {

using ipc::kPhaseServing;
using Type = ipc::MessageType;

namespace {

// Adds the requests, given by the operations that answer them.
template <typename... Kinds>
void AddRequests(ipc::Dispatch& table, KmsOperations& kms) {
  (table.Add<typename Kinds::Request>(Kinds::kType, kPhaseServing,
                                      std::bind_front(&KmsOperations::Admit<Kinds>, &kms)),
   ...);
}

// Adds the supervisor's messages, except those common to all children (ipc/child_session.h). Any
// other message ends the worker.
void AcceptFromSupervisor(ipc::Dispatch& table,
                          openbao::BrokerConnector& connector,
                          KmsOperations& kms) {
  table.AddWithDescriptor<ipc::ConnectAnswer>(
      Type::kConnectAnswer, kPhaseServing, ipc::Descriptor::kOptional,
      std::bind_front(&openbao::BrokerConnector::OnAnswer, &connector));
  table.Add<ipc::KeyTable>(Type::kKeyTable, kPhaseServing,
                           std::bind_front(&KmsOperations::OnKeyTable, &kms));
  table.Add<ipc::CancelRequest>(Type::kCancelRequest, kPhaseServing,
                                std::bind_front(&KmsOperations::OnCancel, &kms));
  AddRequests<EncryptOperation, DecryptOperation, MetadataOperation, ProbeEncryptOperation,
              ProbeDecryptOperation>(table, kms);
}

// Returns the table of the auth agent's messages.
ipc::Dispatch FromAgent(TokenSource& tokens) {
  ipc::Dispatch table;
  table.AddRaw(
      Type::kToken, kPhaseServing, ipc::Descriptor::kNone,
      [&tokens](std::span<std::uint8_t> body, UniqueFd /*fd*/) { return tokens.OnToken(body); });
  table.Add<ipc::LoginFailed>(Type::kLoginFailed, kPhaseServing,
                              std::bind_front(&TokenSource::OnLoginFailed, &tokens));
  return table;
}

}  // namespace

Result<std::unique_ptr<Worker>> Worker::Prepare(const ipc::WorkerSetup& setup,
                                                ipc::ChildSession& session,
                                                UniqueFd spawner) {
  WorkerOptions options = BAOKMS_TRY(ReadSetup(setup));
  BAOKMS_TRY(session.Open(options.log_level));
  std::unique_ptr<Worker> worker(new Worker(session));
  BAOKMS_TRY(worker->Open(std::move(options), std::move(spawner)));
  return worker;
}

Worker::Worker(ipc::ChildSession& session)
    : session_(session),
      connector_(
          session.loop(),
          {.request =
               [this](const auto& message) { session_.Tell(Type::kConnectRequest, message); },
           .report =
               [this](const auto& message) {
                 session_.Tell(Type::kConnectReport, message);
               }}) {
}

Status Worker::Open(WorkerOptions options, UniqueFd spawner) {
  EventLoop& loop = session_.loop();
  client_ = BAOKMS_TRY(openbao::Client::Create(loop, connector_, std::move(options.openbao)));
  tokens_ = std::make_unique<TokenSource>(
      TokenSurroundings{loop, *client_, session_.log(),
                        [this](const ipc::LoginRequest& request) { AskAgent(request); },
                        [this](const ipc::TokenStatus& status) {
                          session_.Tell(Type::kTokenStatus, status);
                        }},
      options.token, options.renewal_increment_seconds);
  operations_ = std::make_unique<KmsOperations>(
      TransitCall::Sources{*tokens_, *client_}, std::move(options.identity),
      std::move(options.plugin_version),
      [this](Type type, const google::protobuf::MessageLite& message) {
        session_.Tell(type, message);
      });
  session_.AcceptTunables([this](const ipc::Tunables& tunables) {
    tokens_->SetRefreshBefore(BootTime(tunables.refresh_before_ns()));
  });
  AcceptFromSupervisor(session_.table(), connector_, *operations_);
  from_agent_ = FromAgent(*tokens_);
  return session_.AcceptPeers(std::move(spawner), [this](const ipc::PeerChannel&, UniqueFd end) {
    return OnAgentChannel(std::move(end));
  });
}

// A new agent, or the first one: it does not know what was asked of another.
Status Worker::OnAgentChannel(UniqueFd channel) {
  agent_ = BAOKMS_TRY(ipc::Link::Create(
      session_.loop(), std::move(channel), ipc::LinkKind::kToken,
      [this](ipc::Datagram datagram) {
        return from_agent_.Deliver(std::move(datagram), kPhaseServing);
      },
      [this](const Error& why) { OnAgentGone(why); }));
  tokens_->AskAgain();
  return {};
}

// The token outlives the agent that obtained it. The next agent comes with a channel of its own;
// until then, one that violated the protocol is not heard, and cannot end a worker either.
void Worker::OnAgentGone(const Error& why) {
  if (why.code() != ErrorCode::kUnavailable) {
    session_.log().Write({LogLevel::kError,
                          "auth.agent_muted",
                          {{"operation", "auth.login"}, {"reason", std::string(why.what())}}});
  }
}

ipc::ExitCode Worker::Run(ipc::ProcFiles proc, const ipc::ConfinementReport& confinement) {
  if (const Status introduced = session_.Introduce(std::move(proc), confinement); !introduced) {
    return ipc::ExitCodeAfter(introduced.error());
  }
  tokens_->Start();
  return session_.Run([] {});
}

void Worker::AskAgent(const ipc::LoginRequest& request) {
  if (agent_ == nullptr) {
    return;
  }
  if (const Status sent = agent_->Send(Type::kLoginRequest, request); !sent) {
    OnAgentGone(sent.error());
  }
}

}  // namespace baokms::worker
