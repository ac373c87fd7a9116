#include "supervisor/serve/child_event_handler.h"

#include <algorithm>
#include <utility>

#include "common/base/clock.h"
#include "common/base/error.h"
#include "common/base/tls_alert_text.h"
#include "ipc/message_type.h"
#include "supervisor/observe/label_names.h"
#include "supervisor/spawner/child_key.h"
#include "supervisor/workers/pending_request.h"

namespace baokms::supervisor {
namespace {

WorkerEnd WorkerEndOf(const ExitStatus& exit_status) {
  switch (exit_status.kind) {
    case ExitStatus::Kind::kExited:
    case ExitStatus::Kind::kNotStarted:
      return WorkerEnd::kExited;
    case ExitStatus::Kind::kKilled:
    case ExitStatus::Kind::kUnresponsive:
      return WorkerEnd::kKilled;
    case ExitStatus::Kind::kCrashed:
    case ExitStatus::Kind::kRefusedSyscall:
      break;
  }
  return WorkerEnd::kCrashed;
}

ipc::ConnectAnswer ToMessage(const ipc::ConnectRequest& request, const BrokerAnswer& answer) {
  ipc::ConnectAnswer message;
  message.set_id(request.id());
  message.set_outcome(answer.outcome);
  message.set_address(answer.address);
  message.set_untried(answer.untried);
  return message;
}

}  // namespace

void ChildEventHandler::Connect(WorkerSet& workers, Children& children) {
  workers_ = &workers;
  children_ = &children;
}

void ChildEventHandler::OnStarted(const ChildKey& key, UniqueFd channel) {
  if (key.role == ipc::ROLE_WORKER) {
    if (const Status attached = workers_->Attach(key.slot, std::move(channel)); !attached) {
      KillForViolation(key, attached.error());
    }
    return;
  }
  ++agent_incarnation_;
  const auto agent = std::make_shared<AgentChannel>(parts_.loop, agent_incarnation_, *this, *this);
  if (const Status opened = agent->Open(std::move(channel)); opened) {
    agent_ = agent;
  } else {
    KillForViolation(key, opened.error());
  }
}

void ChildEventHandler::OnEnded(const ChildKey& key, const ExitStatus& exit_status) {
  parts_.processes.Forget(ProcessName(key));
  parts_.broker.Forget(ProcessName(key));
  const bool killed_for_violation = killed_for_violation_.erase(key) > 0;
  if (key.role == ipc::ROLE_WORKER) {
    ready_.erase(key.slot);
    const WorkerEnd end = WorkerEndOf(exit_status);
    workers_->Detached(
        key.slot, killed_for_violation && end == WorkerEnd::kCrashed ? WorkerEnd::kKilled : end);
  } else {
    agent_.reset();
    if (parts_.pin_attempt_guard != nullptr) {
      parts_.pin_attempt_guard->Forget();
    }
  }
}

void ChildEventHandler::KillForViolation(const ChildKey& key, const Error& why) {
  // A channel usually closes because the child exits, which the spawner reports as well. The end of
  // a child is told even if the child has used up its rate of log lines; how often a child can end
  // is limited by ipc::kPromptRestarts and backoff::kChildRestart.
  const LogLevel level =
      why.code() == ErrorCode::kUnavailable ? LogLevel::kDebug : LogLevel::kError;
  parts_.log.Write({.level = level,
                    .event = "process.breach",
                    .fields = {{"child", ProcessName(key)}, {"reason", std::string(why.what())}}});
  if (why.code() != ErrorCode::kUnavailable) {
    killed_for_violation_[key] = true;
  }
  children_->Kill(key);
}

void ChildEventHandler::OnCall(const ChildProcess& from, const ipc::OpenBaoCall& call) {
  parts_.metrics.OpenBaoCall(call);
  const bool ok = call.outcome() == ipc::OUTCOME_OK;
  const LogLevel level = ok ? LogLevel::kDebug : LogLevel::kWarn;
  if (!parts_.log.Enabled(level)) {
    return;
  }
  std::string operation = OperationLabel(call.operation());
  std::ranges::replace(operation, '_', ' ');
  LogRecord record{.level = level,
                   .event = "openbao.request",
                   .fields = {{"operation", "openbao.request"},
                              {"child", ProcessName(from.key)},
                              {"openbao_operation", operation},
                              {"status", ok ? "ok" : "error"},
                              {"duration_ms", static_cast<double>(call.duration_us()) / 1000.0}}};
  if (!ok) {
    record.fields.emplace_back("error_class", std::string(OutcomeLabel(call.outcome())));
  }
  if (call.tls_alert() != 0) {
    record.fields.emplace_back("tls_alert", std::string(TlsAlertText(call.tls_alert())));
  }
  if (!call.request_id().empty()) {
    record.correlation.emplace_back("openbao_request_id", call.request_id());
  }
  parts_.child_log.WriteCausedBy(ProcessName(from.key), record);
}

void ChildEventHandler::OnSilent(Slot slot) {
  children_->KillUnresponsive(WorkerKey(slot));
}

void ChildEventHandler::OnAgentSilent() {
  children_->KillUnresponsive(kAgentKey);
}

void ChildEventHandler::OnViolation(Slot slot, const Error& why) {
  KillForViolation(WorkerKey(slot), why);
}

void ChildEventHandler::SetTunables(const ipc::Tunables& tunables) {
  tunables_ = tunables;
  for (const auto& [slot, worker] : ready_) {
    SendTunables(ChannelOf(worker));
  }
  SendTunables(agent_);
}

// A child that has exited is skipped; its successor receives the tunables when it is ready.
void ChildEventHandler::SendTunables(const std::shared_ptr<ChildChannel>& channel) const {
  if (channel != nullptr && tunables_) {
    (void)channel->Send(ipc::MessageType::kTunables, *tunables_).has_value();
  }
}

void ChildEventHandler::OnReady(const ChildProcess& from) {
  ready_[from.key.slot] = from;
  accepted_set_ups_.insert(ipc::ROLE_WORKER);
  children_->NoteServing(from.key);
  SendTunables(ChannelOf(from));
  parts_.worker_usable();
}

std::shared_ptr<ChildChannel> ChildEventHandler::ChannelOf(const ChildProcess& process) const {
  if (process.key.role == ipc::ROLE_WORKER) {
    return workers_->ChannelOf(process);
  }
  return process.number == agent_incarnation_ ? agent_ : nullptr;
}

void ChildEventHandler::OnProcDescriptor(const ChildProcess& from,
                                         ipc::ProcDescriptor::Kind kind,
                                         UniqueFd descriptor) {
  parts_.processes.Put(ProcessName(from.key), kind, std::move(descriptor));
}

void ChildEventHandler::OnConfinement(const ChildProcess& from,
                                      const ipc::ConfinementReport& report) {
  parts_.processes.Report(ProcessName(from.key), {.filter = report.filter_name(),
                                                  .landlock_abi = report.landlock_abi(),
                                                  .refused_syscall = report.refused_syscall()});
}

void ChildEventHandler::OnLogRecord(const ChildProcess& from, const ipc::LogRecord& record) {
  parts_.child_log.WriteChild(ProcessName(from.key), children_->PidOf(from.key), record);
}

void ChildEventHandler::OnSyscallRefused(const ChildProcess& from, std::uint32_t number) {
  children_->NoteRefusedSyscall(from.key, number);
}

void ChildEventHandler::OnStartFailure(const ChildProcess& from, const ipc::StartFailure& failure) {
  parts_.child_log.WriteCausedBy(
      ProcessName(from.key),
      {.level = LogLevel::kError,
       .event = "process.start_failed",
       .fields = {{"child", ProcessName(from.key)},
                  {"step", failure.step()},
                  {"error", std::string(ToString(static_cast<ErrorCode>(failure.code())))},
                  {"errno", std::int64_t{failure.sys_errno()}}}});
  if (parts_.start_failed) {
    parts_.start_failed(from.key, failure);
  }
}

Status ChildEventHandler::OnConnectRequest(const ChildProcess& from,
                                           const ipc::ConnectRequest& request) {
  const bool openbao = request.endpoint() < parts_.openbao_endpoints;
  const bool agent = from.key == kAgentKey;
  if (!openbao && !agent) {
    return Error(ErrorCode::kProtocolViolation, "a worker asked for an endpoint not OpenBao's");
  }
  if (openbao && agent && !MayLogIn(request.id())) {
    AnswerConnect(from, request, {.outcome = ipc::OUTCOME_LOGIN_BUDGET});
    return {};
  }
  parts_.broker.Connect(ProcessName(from.key), request, [this, from, request](BrokerAnswer answer) {
    if (answer.outcome == ipc::OUTCOME_INVALID_REQUEST) {
      KillForViolation(from.key, Error(ErrorCode::kProtocolViolation,
                                       "asked for an endpoint that is not configured"));
      return;
    }
    if (answer.blocked) {
      LogBlocked();
    }
    if (from.key == kAgentKey && answer.outcome != ipc::OUTCOME_OK) {
      parts_.login_budget.GiveBack({from.number, request.id()});  // nothing reached OpenBao
    }
    AnswerConnect(from, request, std::move(answer));
  });
  return {};
}

void ChildEventHandler::LogBlocked() {
  parts_.log.Write(
      {.level = LogLevel::kError,
       .event = "openbao.blocked",
       .fields = {{"operation", "openbao.blocked"},
                  {"reason",
                   "this machine refuses to send to the address of an endpoint: permit it with "
                   "IPAddressAllow= in allowed-addresses.conf, a drop-in of the unit, or in the "
                   "packet filter"}}});
}

// If the process that asked has exited, nothing is sent and the socket is closed.
void ChildEventHandler::AnswerConnect(const ChildProcess& to,
                                      const ipc::ConnectRequest& request,
                                      BrokerAnswer answer) {
  ipc::ConnectAnswer message = ToMessage(request, answer);
  const std::shared_ptr<ChildChannel> channel = ChannelOf(to);
  if (channel == nullptr) {
    return;
  }
  const Status sent = channel->AnswerConnect(std::move(message), std::move(answer.socket));
  if (!sent && sent.error().code() == ErrorCode::kResourceExhausted) {
    KillForViolation(to.key, sent.error());  // it requests connections but does not receive them
  }
}

void ChildEventHandler::OnConnectReport(const ChildProcess& from,
                                        const ipc::ConnectReport& report) {
  if (from.key == kAgentKey && !report.usable() && agent_refunds_.Take(BootNow())) {
    parts_.login_budget.GiveBack({from.number, report.id()});
  }
  parts_.broker.TakeReport(ProcessName(from.key), report);
}

void ChildEventHandler::OnTokenStatus(const ChildProcess& /*from*/,
                                      const ipc::TokenStatus& status) {
  if (status.last_outcome() != ipc::OUTCOME_UNSPECIFIED && status.was_renewal()) {
    parts_.metrics.Renewal(AuthStatusLabel(status.status()));
  }
  if (status.usable()) {
    parts_.worker_usable();
  }
}

void ChildEventHandler::OnAgentViolation(const Error& why) {
  KillForViolation(kAgentKey, why);
}

void ChildEventHandler::OnAgentReady() {
  accepted_set_ups_.insert(ipc::ROLE_AUTH_AGENT);
  children_->NoteServing(kAgentKey);
  SendTunables(agent_);
}

bool ChildEventHandler::MayLogIn(std::uint64_t request_id) {
  const bool may = parts_.login_budget.Take({agent_incarnation_, request_id}, BootNow());
  if (!may && !budget_complained_) {
    parts_.child_log.WriteCausedBy(ProcessName(kAgentKey),
                                   {.level = LogLevel::kWarn,
                                    .event = "auth.login_budget",
                                    .fields = {{"operation", "auth.login"},
                                               {"child", ProcessName(kAgentKey)},
                                               {"status", "used_up"}}});
  }
  budget_complained_ = !may;
  return may;
}

void ChildEventHandler::OnAgentPinAttempt(std::uint16_t tag) {
  const auto verdict = parts_.pin_attempt_guard == nullptr ? ipc::PinAttemptAnswer::VERDICT_NO_LATCH
                                                           : parts_.pin_attempt_guard->Begin(tag);
  (void)agent_->AnswerPinAttempt(verdict).has_value();
}

Status ChildEventHandler::OnAgentPinResult(ipc::PinAttemptEnd::Result result) {
  const Status ended =
      parts_.pin_attempt_guard == nullptr
          ? Status(Error(ErrorCode::kProtocolViolation, "PIN attempt without a PKCS#11 module"))
          : parts_.pin_attempt_guard->End(result);
  if (ended || ended.error().code() == ErrorCode::kProtocolViolation) {
    return ended;
  }
  parts_.child_log.WriteCausedBy(ProcessName(kAgentKey),
                                 {.level = LogLevel::kError,
                                  .event = "auth.pin_latch",
                                  .fields = {{"operation", "auth.pin_latch"},
                                             {"child", ProcessName(kAgentKey)},
                                             {"status", "error"},
                                             {"reason", std::string(ended.error().what())}}});
  return {};
}

void ChildEventHandler::OnAgentStatus(const ipc::AgentStatus& status) {
  if (status.was_login()) {
    parts_.metrics.Login(AuthStatusLabel(status.status()));
  }
  parts_.credential.Note(status);
  agent_status_ = status;
  agent_status_.clear_calls();
}

}  // namespace baokms::supervisor
