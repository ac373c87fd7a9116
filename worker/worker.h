// The worker: its channels, one OpenBao client, one token and the KMS operations on one loop. It
// serves until the supervisor is gone and never receives a JWT.

#pragma once

#include <memory>

#include "common/base/error.h"
#include "common/base/result.h"
#include "common/base/unique_fd.h"
#include "common/openbao/api.h"
#include "common/openbao/broker_connector.h"
#include "ipc/child_descriptors.h"
#include "ipc/child_process.h"
#include "ipc/child_session.h"
#include "ipc/dispatch.h"
#include "ipc/link.h"
#include "proto/ipc.pb.h"
#include "proto/setup.pb.h"
#include "worker/kms_operations.h"
#include "worker/token_source.h"
#include "worker/worker_options.h"

namespace baokms::worker {

class Worker final {
 public:
  // Opens everything that the filter later forbids to open. `session` must outlive the worker;
  // `spawner` is the channel that brings the ends of its channels to the auth agent. Receives
  // nothing yet. Fails on a set-up that no valid configuration produces, and when the kernel or
  // libcurl is out of resources.
  static Result<std::unique_ptr<Worker>> Prepare(const ipc::WorkerSetup& setup,
                                                 ipc::ChildSession& session,
                                                 UniqueFd spawner);

  Worker(const Worker&) = delete;
  Worker& operator=(const Worker&) = delete;
  ~Worker() = default;

  // Sends Hello to the supervisor, requests the first token, then serves. Returns when the
  // supervisor is gone (kSupervisorGone), when it or the agent violated the protocol
  // (kPeerViolation), or when the loop fails (kLoopFailed). Call it once, with the filter
  // installed.
  ipc::ExitCode Run(ipc::ProcFiles proc, const ipc::ConfinementReport& confinement);

 private:
  explicit Worker(ipc::ChildSession& session);

  Status Open(WorkerOptions options, UniqueFd spawner);
  Status OnAgentChannel(UniqueFd channel);
  void OnAgentGone(const Error& why);
  void AskAgent(const ipc::LoginRequest& request);

  ipc::ChildSession& session_;
  openbao::BrokerConnector connector_;
  std::unique_ptr<openbao::Client> client_;
  std::unique_ptr<TokenSource> tokens_;
  std::unique_ptr<KmsOperations> operations_;
  ipc::Dispatch from_agent_;          // the agent sends no Hello: it is served from the start
  std::unique_ptr<ipc::Link> agent_;  // null before the first; closed once that agent is gone
};

}  // namespace baokms::worker
