// The auth agent: its channels, its OpenBao client and its credential on one loop. It serves logins
// until the supervisor is gone, and never receives a KMS request.

#pragma once

#include <sys/types.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <vector>

#include "authagent/credential.h"
#include "authagent/login.h"
#include "authagent/login_api.h"
#include "common/base/clock.h"
#include "common/base/event_loop.h"
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
  // `spawner` is the channel that brings its ends of the channels to the workers. Receives nothing
  // yet. Fails on an incomplete set-up, and when the kernel or libcurl is out of resources. If the
  // set-up has a PKCS#11 module, a second thread is started for that module alone, and the narrow
  // filter is installed once the module is open.
  static Result<std::unique_ptr<Agent>> Prepare(const ipc::AgentSetup& setup,
                                                ipc::ChildSession& session,
                                                UniqueFd spawner);

  Agent(const Agent&) = delete;
  Agent& operator=(const Agent&) = delete;
  ~Agent() override = default;

  // Sends Hello to the supervisor, then serves. Returns when the supervisor is gone
  // (kSupervisorGone) or violated the protocol (kPeerViolation), or when the loop fails
  // (kLoopFailed). Call it once, with the filter installed.
  ipc::ExitCode Run(ipc::ProcFiles proc, const ipc::ConfinementReport& confinement);

 private:
  // The channel to the worker that is in a slot now. `channel` outlives the link, so that a muted
  // worker can be served again. The table counts what every worker of the slot sends.
  struct WorkerSlotChannel {
    UniqueFd channel{};
    std::unique_ptr<ipc::Link> link{};  // null without a worker, and while it is muted
    ipc::Dispatch table;
    std::optional<uid_t> user{};  // with separate users: whose messages are accepted
    EventLoop::TimerId unmute = 0;
  };

  Agent(ipc::ChildSession& session, const ipc::AgentSetup& setup, UniqueFd spawner);

  void AcceptFromSupervisor();
  Status Open(const ipc::AgentSetup& setup);
  Status Confine(const ipc::ModuleAccess& access);
  void Serve();
  Status OnWorkerChannel(Slot slot, UniqueFd channel);
  Status OpenSlotChannel(Slot slot);
  void OnSlotClosed(Slot slot, const Error& error);
  void PollCredential();
  void SendTo(Slot slot, const std::function<Status(ipc::Link&)>& send);

  void SendToken(Slot slot, const ipc::TokenMessage& token) override;
  void SendFailure(Slot slot, const ipc::LoginFailed& failure) override;
  void SendStatus(const ipc::AgentStatus& status) override;

  ipc::ChildSession& session_;
  UniqueFd spawner_;  // until the supervisor has answered the Hello
  openbao::BrokerConnector connector_;
  std::unique_ptr<openbao::Client> client_;
  std::unique_ptr<LoginApi> api_;
  ipc::ConfinementReport confinement_;  // as last reported
  std::unique_ptr<Credential> credential_;
  std::unique_ptr<LoginService> login_;
  // How long messages of a worker that violated the protocol are ignored. A worker that takes its
  // place is served at once.
  BootTime mute_duration_;
  std::vector<WorkerSlotChannel> slot_channels_;
};

}  // namespace baokms::authagent
