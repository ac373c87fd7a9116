// Logs in for the workers: each request of a slot leads to one credential read, one login at
// OpenBao and one token for the worker. It is independent of channels and keeps no token: the token
// is sent and wiped in the callback that receives it.

#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "authagent/credential.h"
#include "authagent/login_api.h"
#include "common/base/clock.h"
#include "common/base/event_loop.h"
#include "common/base/log.h"
#include "common/base/minute_window.h"
#include "common/base/result.h"
#include "common/openbao/api.h"
#include "ipc/token_message.h"
#include "proto/ipc.pb.h"

namespace baokms::authagent {

// A worker slot, from 0 to workers - 1.
using Slot = std::uint32_t;

// Receives the answers. None of these functions may call back into LoginService.
class LoginOutlet {
 public:
  LoginOutlet() = default;
  LoginOutlet(const LoginOutlet&) = delete;
  LoginOutlet& operator=(const LoginOutlet&) = delete;
  virtual ~LoginOutlet() = default;

  virtual void SendToken(Slot slot, const ipc::TokenMessage& token) = 0;
  virtual void SendFailure(Slot slot, const ipc::LoginFailed& failure) = 0;
  virtual void SendStatus(const ipc::AgentStatus& status) = 0;
};

struct LoginOptions {
  std::string auth_mount;
  std::uint32_t workers = 0;
  BootTime timeout{};                    // the maximum duration of one login
  std::uint32_t budget_per_minute = 12;  // logins of all slots; each slot may use its share
};

// Must be used on the loop's thread only. Each slot has at most one login in progress and one
// waiting request: a worker sends another only after it gave up on the previous one, so a newer
// request replaces it.
class LoginService final {
 public:
  // All references must outlive the service.
  LoginService(EventLoop& loop,
               Credential& credential,
               LoginApi& api,
               LoginOutlet& outlet,
               LogSink& log,
               LoginOptions options);

  LoginService(const LoginService&) = delete;
  LoginService& operator=(const LoginService&) = delete;
  ~LoginService() = default;

  // Accepts a worker's well-formed request. It is answered with a token or a failure by its
  // deadline or the time-out, whichever is earlier. `slot` must be below LoginOptions::workers.
  void Request(Slot slot, const ipc::LoginRequest& request);

  // Reads and checks the credential now, without logging in, and reports the result.
  void CheckCredential();

  // Calls CheckCredential() if the credential was replaced since it was last read, and every minute
  // while it is refused or its replacement is overdue, so that the log repeats the problem.
  void Watch();

 private:
  using LogFields = decltype(LogRecord::fields);

  // Why a login failed. Until the first failure, the only possible reason is the budget.
  struct LoginFailure {
    ipc::Outcome outcome = ipc::OUTCOME_LOGIN_BUDGET;
    Finding finding{AuthStatus::kError, "the login budget is used up"};
  };

  struct Ticket {
    ipc::LoginRequestId id{};
    BootTime deadline{};
  };

  struct SlotState {
    std::optional<Ticket> active;
    std::optional<Ticket> waiting;
    MinuteWindow<> requests;  // including those that lead to no login
    MinuteWindow<> logins;
  };

  void Begin(Slot slot);
  void RefuseQuietly(Slot slot, ipc::Outcome outcome);
  void OnCredential(Slot slot, Acquired acquired);
  void LogIn(Slot slot, Acquired acquired);
  void OnLogin(Slot slot, const openbao::CallReport& report, openbao::AuthValue value);
  void Succeed(Slot slot, const openbao::CallReport& report, openbao::AuthValue value);
  void Fail(Slot slot,
            ipc::Outcome outcome,
            const Finding& finding,
            const openbao::CallReport& report);
  // Fails a login that OpenBao was asked for: the reason to report while the budget is used up.
  void FailLogin(Slot slot, LoginFailure failure, const openbao::CallReport& report);
  void FailForBudget(Slot slot, BootTime wait);
  void SendFailure(Slot slot,
                   const Ticket& ticket,
                   ipc::Outcome outcome,
                   AuthStatus status,
                   BootTime budget_wait = {});
  void Report(ipc::Outcome outcome, AuthStatus status, const openbao::CallReport& report);
  void LogLogin(Slot slot, const Finding& finding, LogFields more);
  void LogCredential(Finding finding);
  void Log(const char* event, bool ok, const Finding& finding, LogFields more);
  [[nodiscard]] ipc::AgentStatus StatusMessage(ipc::Outcome outcome, AuthStatus status) const;
  void Note(const Acquired& acquired);
  [[nodiscard]] bool ReplacementIsDue() const;
  void Finish(Slot slot);

  EventLoop& loop_;
  Credential& credential_;
  LoginApi& api_;
  LoginOutlet& outlet_;
  LogSink& log_;
  LoginOptions options_;
  std::vector<SlotState> slots_;
  LoginFailure last_failure_;  // of any slot, since the last successful login
  std::int64_t credential_ends_unix_ = 0;
  std::int64_t credential_due_unix_ = 0;
  AuthStatus credential_status_ = AuthStatus::kOk;  // when it was last read
  BootTime last_check_{};
  bool checking_ = false;
};

}  // namespace baokms::authagent
