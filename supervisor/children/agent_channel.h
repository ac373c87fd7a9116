// The supervisor's channel to the auth agent: what the agent may say, and when. Nothing secret
// comes over it; tokens go from the agent to the workers directly.

#pragma once

#include <cstdint>
#include <memory>

#include "common/base/event_loop.h"
#include "common/base/result.h"
#include "common/base/unique_fd.h"
#include "ipc/dispatch.h"
#include "ipc/link.h"
#include "proto/ipc.pb.h"

namespace baokms::supervisor {

// Everything runs on the loop's thread. Contents are checked for form only.
class AgentEvents {
 public:
  virtual ~AgentEvents() = default;

  // The agent broke the protocol or left its channel: kill it. Comes once at most.
  virtual void OnAgentBreach(const Error& why) = 0;

  virtual void OnAgentProcDescriptor(ipc::ProcDescriptor::Kind kind, UniqueFd descriptor) = 0;
  virtual void OnAgentConfinement(const ipc::ConfinementReport& report) = 0;
  virtual void OnAgentLogRecord(const ipc::LogRecord& record) = 0;
  virtual void OnAgentSyscallRefused(std::uint32_t number) = 0;
  virtual void OnAgentConnectRequest(const ipc::ConnectRequest& request) = 0;
  virtual void OnAgentConnectVerdict(const ipc::ConnectVerdict& verdict) = 0;
  virtual void OnAgentStatus(const ipc::AgentStatus& status) = 0;
  virtual void OnAgentPinAttempt(std::uint16_t tag) = 0;
  virtual void OnAgentPinResult(ipc::PinAttemptEnd::Result result) = 0;

 protected:
  AgentEvents() = default;
  AgentEvents(const AgentEvents&) = default;
  AgentEvents& operator=(const AgentEvents&) = default;
};

class AgentChannel final {
 public:
  // `loop` and `events` must outlive the channel.
  static Result<std::unique_ptr<AgentChannel>> Create(EventLoop& loop,
                                                      AgentEvents& events,
                                                      UniqueFd channel);

  AgentChannel(const AgentChannel&) = delete;
  AgentChannel& operator=(const AgentChannel&) = delete;
  ~AgentChannel() = default;

  // Answers a ConnectRequest; the socket is closed here once it is on its way.
  Status AnswerConnect(const ipc::ConnectAnswer& answer, UniqueFd socket);

  // Answers OnAgentPinAttempt().
  Status AnswerPinAttempt(ipc::PinAttemptAnswer::Verdict verdict);

  // What SIGHUP changed.
  Status SendTunables(const ipc::Tunables& tunables);

  // The table as text, for tests and reviewers.
  [[nodiscard]] std::string DispatchText() const { return dispatch_.ToText(); }

 private:
  explicit AgentChannel(AgentEvents& events) : events_(events) {}

  void FillDispatch();
  Status OnHello(const ipc::Hello& hello);
  Status OnProcDescriptor(const ipc::ProcDescriptor& message, UniqueFd descriptor);

  AgentEvents& events_;
  ipc::Dispatch dispatch_;
  ipc::Phase phase_ = ipc::kPhaseHello;
  std::uint32_t proc_descriptors_seen_ = 0;  // bit per kind: each comes once
  std::unique_ptr<ipc::Link> link_;
};

}  // namespace baokms::supervisor
