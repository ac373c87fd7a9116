// The worker as a whole: two channels, one OpenBao client, one token and the KMS operations on one
// loop. It serves until the supervisor is gone and never sees a JWT.

#pragma once

#include <memory>

#include <google/protobuf/message_lite.h>

#include "common/base/event_loop.h"
#include "common/base/heartbeat.h"
#include "common/base/result.h"
#include "common/base/unique_fd.h"
#include "common/openbao/api.h"
#include "common/openbao/broker_connector.h"
#include "ipc/child_descriptors.h"
#include "ipc/child_process.h"
#include "ipc/dispatch.h"
#include "ipc/link.h"
#include "ipc/log_message.h"
#include "ipc/message_type.h"
#include "proto/ipc.pb.h"
#include "proto/setup.pb.h"
#include "worker/kms_operations.h"
#include "worker/token_source.h"
#include "worker/transit.h"
#include "worker/worker_options.h"

namespace baokms::worker {

// The worker's ends of its channels.
struct WorkerChannels {
  UniqueFd supervisor;
  UniqueFd agent;
};

class Worker final {
 public:
  // Opens everything that the filter later forbids to open. Receives nothing yet. Fails on a set-up
  // that no valid configuration gives and when the kernel or libcurl has no room.
  static Result<std::unique_ptr<Worker>> Prepare(const ipc::WorkerSetup& setup,
                                                 WorkerChannels channels);

  Worker(const Worker&) = delete;
  Worker& operator=(const Worker&) = delete;
  ~Worker() = default;

  // Introduces itself to the supervisor, asks for its first token, then serves. Returns when the
  // supervisor is gone (kSupervisorGone), when it or the agent broke the protocol (kPeerBreach), or
  // when the loop cannot go on (kLoopFailed). To be called once, inside the filter.
  ipc::ExitCode Run(ipc::ProcFiles proc, const ipc::ConfinementReport& confinement);

 private:
  Worker(std::unique_ptr<EventLoop> loop, const WorkerOptions& options);

  Status Open(WorkerOptions options, WorkerChannels channels);
  Status Introduce(ipc::ProcFiles proc, const ipc::ConfinementReport& confinement);
  Status SendProc(ipc::ProcDescriptor::Kind kind, UniqueFd file);
  Status OnHelloAnswer(const ipc::HelloAnswer& answer);
  Status OnTunables(const ipc::Tunables& tunables);
  void Tell(ipc::MessageType type, const google::protobuf::MessageLite& message);
  void AskAgent(const ipc::LoginRequest& request);
  void OnSupervisorClosed(const Error& error);
  void End(ipc::ExitCode code);

  std::unique_ptr<EventLoop> loop_;
  ipc::UpwardLog log_;
  openbao::BrokerConnector connector_;
  std::unique_ptr<openbao::Client> client_;
  std::unique_ptr<Transit> transit_;
  std::unique_ptr<TokenSource> tokens_;
  std::unique_ptr<KmsOperations> operations_;
  ipc::Dispatch from_supervisor_;
  ipc::Dispatch from_agent_;
  ipc::Phase phase_ = ipc::kPhaseHello;  // of the supervisor; the agent has no Hello
  std::unique_ptr<ipc::Link> supervisor_;
  std::unique_ptr<ipc::Link> agent_;
  std::unique_ptr<Heartbeat> heartbeat_;
  ipc::ExitCode end_ = ipc::ExitCode::kLoopFailed;
};

}  // namespace baokms::worker
