// Handles everything that children send besides answers: brokers connections, writes log records,
// counts calls and kills a child after a protocol violation. It is the only class that knows all
// the parts.

#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>

#include "common/base/event_loop.h"
#include "common/base/log.h"
#include "common/base/result.h"
#include "common/base/token_bucket.h"
#include "common/base/unique_fd.h"
#include "proto/ipc.pb.h"
#include "supervisor/broker/broker.h"
#include "supervisor/children/agent_channel.h"
#include "supervisor/children/child_channel.h"
#include "supervisor/children/children.h"
#include "supervisor/children/process_facts.h"
#include "supervisor/observe/child_records.h"
#include "supervisor/observe/metrics.h"
#include "supervisor/serve/credential_status.h"
#include "supervisor/serve/login_budget.h"
#include "supervisor/serve/pin_attempt_guard.h"
#include "supervisor/workers/worker_events.h"
#include "supervisor/workers/worker_set.h"

namespace baokms::supervisor {

// Addresses that one search may find unusable (64 endpoints are never all down at once in practice;
// each of a few has up to 16 addresses), and one more every ten seconds.
inline constexpr double kMaxAgentRefunds = 64;
inline constexpr double kAgentRefundsPerSecond = 0.1;

struct ChildEventHandlerParts {
  EventLoop& loop;
  Broker& broker;
  std::uint32_t openbao_endpoints;  // workers may be connected to endpoints 0 to this - 1
  LoginBudget& login_budget;
  CredentialStatus& credential;
  LogSink& log;
  Metrics& metrics;
  ProcessTable& processes;
  ChildLog& child_log;
  std::function<void()> worker_usable;  // a worker became ready or received a token
  // A child could not start; it is started again with back-off. The code is kInvalidArgument if
  // it refuses its set-up, which every later start would refuse as well.
  std::function<void(const ChildKey&, const ipc::StartFailure&)> start_failed;
  PinAttemptGuard* pin_attempt_guard = nullptr;  // null: no PIN may be tried
};

// Every function is called on the loop's thread.
class ChildEventHandler final : public WorkerEvents, public AgentEvents {
 public:
  explicit ChildEventHandler(ChildEventHandlerParts parts) : parts_(std::move(parts)) {}

  ChildEventHandler(const ChildEventHandler&) = delete;
  ChildEventHandler& operator=(const ChildEventHandler&) = delete;
  ~ChildEventHandler() override = default;

  // Connects the two parts whose construction needs this object. Must be called before the first
  // child starts.
  void Connect(WorkerSet& workers, Children& children);

  // Hooks for Children.
  void OnStarted(const ChildKey& key, UniqueFd channel);
  void OnEnded(const ChildKey& key, const ExitStatus& exit_status);

  // Sends the settings that SIGHUP changed to every child and to every child that starts later.
  void SetTunables(const ipc::Tunables& tunables);

  // Returns the agent's latest report about its credential; empty before the first one. Must be
  // called on the loop's thread.
  [[nodiscard]] const ipc::AgentStatus& agent_status() const { return agent_status_; }

  // Returns whether a process of this role has accepted its set-up. Set-ups are sealed, so that
  // every later process of the role accepts it as well. Must be called on the loop's thread.
  [[nodiscard]] bool HasAcceptedSetUp(ipc::Role role) const {
    return accepted_set_ups_.contains(role);
  }

  void OnViolation(Slot slot, const Error& why) override;
  void OnSilent(Slot slot) override;
  void OnReady(const ChildProcess& from) override;
  void OnTokenStatus(const ChildProcess& from, const ipc::TokenStatus& status) override;

  void OnProcDescriptor(const ChildProcess& from,
                        ipc::ProcDescriptor::Kind kind,
                        UniqueFd descriptor) override;
  void OnConfinement(const ChildProcess& from, const ipc::ConfinementReport& report) override;
  void OnLogRecord(const ChildProcess& from, const ipc::LogRecord& record) override;
  void OnSyscallRefused(const ChildProcess& from, std::uint32_t number) override;
  void OnStartFailure(const ChildProcess& from, const ipc::StartFailure& failure) override;
  Status OnConnectRequest(const ChildProcess& from, const ipc::ConnectRequest& request) override;
  void OnConnectReport(const ChildProcess& from, const ipc::ConnectReport& report) override;
  void OnCall(const ChildProcess& from, const ipc::OpenBaoCall& call) override;

  void OnAgentViolation(const Error& why) override;
  void OnAgentReady() override;
  void OnAgentSilent() override;
  void OnAgentStatus(const ipc::AgentStatus& status) override;
  void OnAgentPinAttempt(std::uint16_t tag) override;
  Status OnAgentPinResult(ipc::PinAttemptEnd::Result result) override;

 private:
  // Returns the channel of exactly this process; null once that is over.
  [[nodiscard]] std::shared_ptr<ChildChannel> ChannelOf(const ChildProcess& process) const;
  void SendTunables(const std::shared_ptr<ChildChannel>& channel) const;
  void KillForViolation(const ChildKey& key, const Error& why);
  void LogBlocked();
  void AnswerConnect(const ChildProcess& to,
                     const ipc::ConnectRequest& request,
                     BrokerAnswer answer);
  [[nodiscard]] bool MayLogIn(std::uint64_t request_id);

  ChildEventHandlerParts parts_;
  WorkerSet* workers_ = nullptr;
  Children* children_ = nullptr;
  std::shared_ptr<AgentChannel> agent_;
  std::uint64_t agent_incarnation_ = 0;  // keeps answers to a former agent from its successor
  std::map<ChildKey, bool>
      killed_for_violation_;  // killed for a protocol violation; cleared when it exits
  ipc::AgentStatus agent_status_;
  // Logins that the agent may declare unused. Enough for every address of every endpoint of a
  // search, and slow after that: the word of a compromised agent must not lift the login budget.
  TokenBucket agent_refunds_{kMaxAgentRefunds, kAgentRefundsPerSecond};
  bool budget_complained_ = false;         // the exhausted login budget has been logged
  std::optional<ipc::Tunables> tunables_;  // empty: those of the sealed set-ups apply
  std::map<Slot, ChildProcess> ready_;
  std::set<ipc::Role> accepted_set_ups_;  // roles of which a process has accepted its set-up
};

}  // namespace baokms::supervisor
