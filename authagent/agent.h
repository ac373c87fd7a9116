// The auth agent: its channels, its OpenBao client and its credential on one loop. It serves logins
// until the supervisor is gone, and never receives a KMS request.

#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "authagent/credential.h"
#include "authagent/login.h"
#include "authagent/login_api.h"
#include "common/base/clock.h"
#include "common/base/result.h"
#include "common/base/unique_fd.h"
#include "common/openbao/api.h"
#include "common/openbao/broker_connector.h"
#include "ipc/child_descriptors.h"
#include "ipc/child_process.h"
#include "ipc/child_session.h"
#include "ipc/dispatch.h"
#include "ipc/link.h"
#include "ipc/token_message.h"
#include "proto/ipc.pb.h"
#include "proto/setup.pb.h"

namespace baokms::authagent {

// Interval between checks whether the credential was replaced
// (docs/authentication.md#rotation-at-a-glance).
inline constexpr BootTime kCredentialPoll = std::chrono::seconds(5);

class Agent final : private LoginOutlet {
 public:
  // Opens everything that the filter later forbids to open. `session` must outlive the agent;
  // `workers` are its ends of the pairs with the workers, one per slot. Receives nothing yet. Fails
  // on an incomplete set-up, and when the kernel or libcurl is out of resources. If the set-up has
  // a PKCS#11 module, a second thread is started for that module alone, and the narrow filter is
  // installed once the module is open.
  static Result<std::unique_ptr<Agent>> Prepare(const ipc::AgentSetup& setup,
                                                ipc::ChildSession& session,
                                                std::vector<UniqueFd> workers);

  Agent(const Agent&) = delete;
  Agent& operator=(const Agent&) = delete;
  ~Agent() override = default;

  // Sends Hello to the supervisor, then serves. Returns when the supervisor is gone
  // (kSupervisorGone) or violated the protocol (kPeerViolation), or when the loop fails
  // (kLoopFailed). Call it once, with the filter installed.
  ipc::ExitCode Run(ipc::ProcFiles proc, const ipc::ConfinementReport& confinement);

 private:
  // A worker slot's channel. `channel` outlives the link, so that a muted slot can be served again.
  struct WorkerSlotChannel {
    UniqueFd channel;
    std::unique_ptr<ipc::Link> link;
    ipc::Dispatch table;
    bool closing = false;  // the link is closed; a posted task will destroy it
  };

  Agent(ipc::ChildSession& session, const ipc::AgentSetup& setup, std::vector<UniqueFd> workers);

  void AcceptFromSupervisor();
  Status Open(const ipc::AgentSetup& setup);
  Status Confine(const ipc::ModuleAccess& access);
  void Serve();
  Status OpenSlotChannel(Slot slot);
  void CloseSlotChannel(Slot slot, const Error& error);
  void ReopenSlotChannel(Slot slot);
  void PollCredential();
  void SendTo(Slot slot, const std::function<Status(ipc::Link&)>& send);

  void SendToken(Slot slot, const ipc::TokenMessage& token) override;
  void SendFailure(Slot slot, const ipc::LoginFailed& failure) override;
  void SendStatus(const ipc::AgentStatus& status) override;

  ipc::ChildSession& session_;
  openbao::BrokerConnector connector_;
  std::unique_ptr<openbao::Client> client_;
  std::unique_ptr<LoginApi> api_;
  ipc::ConfinementReport confinement_;  // as last reported
  std::unique_ptr<Credential> credential_;
  std::unique_ptr<LoginService> login_;
  // How long messages of a worker that violated the protocol are ignored. Afterwards its slot is
  // served again, because another process may fill it.
  BootTime mute_duration_;
  std::vector<WorkerSlotChannel> slot_channels_;
};

}  // namespace baokms::authagent
