// The worker's token: obtains it from the auth agent, keeps it in locked memory, renews and
// replaces it as worker/token_state_machine.h decides, and reports its state (never the token) to
// the supervisor.

#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/clock.h"
#include "common/base/event_loop.h"
#include "common/base/log.h"
#include "common/base/result.h"
#include "common/base/secret_buffer.h"
#include "common/openbao/api.h"
#include "ipc/token_message.h"
#include "proto/ipc.pb.h"
#include "worker/token_state_machine.h"

namespace baokms::worker {

// The interfaces that a token source uses. The references must outlive it.
struct TokenSurroundings {
  EventLoop& loop;
  openbao::Transit& transit;
  LogSink& log;
  std::function<void(const ipc::LoginRequest&)> ask_agent;
  std::function<void(const ipc::TokenStatus&)> tell_supervisor;
};

// Must be used on the loop's thread only. Callbacks never run inside the call that requested them.
class TokenSource final {
 public:
  TokenSource(TokenSurroundings surroundings,
              TokenTiming timing,
              std::int64_t renewal_increment_seconds);
  TokenSource(const TokenSource&) = delete;
  TokenSource& operator=(const TokenSource&) = delete;
  ~TokenSource();

  // Starts the first login.
  void Start();

  // Repeats the request for the login that is in progress, if there is one: the agent that has it
  // may be gone.
  void AskAgain();

  // See TokenStateMachine::SetRefreshBefore().
  void SetRefreshBefore(BootTime refresh_before) { machine_.SetRefreshBefore(refresh_before); }

  // Handles messages of the agent. Answers to requests that were abandoned are dropped; malformed
  // ones return kProtocolViolation.
  Status OnToken(std::span<std::uint8_t> body);
  Status OnLoginFailed(const ipc::LoginFailed& message);

  // The current token; null when there is none. Valid until control returns to the loop.
  struct Current {
    const SecretBuffer* token = nullptr;
    std::uint64_t generation = 0;
  };

  [[nodiscard]] Current Take();

  // The result of a wait.
  struct Ready {
    enum class Kind : std::uint8_t {
      kToken,        // a token is available from Take()
      kUnavailable,  // no token; `outcome` has the reason
      kTimedOut,     // the deadline passed
      kKept,         // the rejected token stays, and so does OpenBao's refusal
    };

    Kind kind{};
    ipc::Outcome outcome = ipc::OUTCOME_UNSPECIFIED;
  };

  using OnReady = std::function<void(Ready)>;
  using WaitId = std::uint64_t;

  // Waits for a token until `deadline`.
  WaitId Wait(BootTime deadline, OnReady ready);

  // Reports that OpenBao refused the token of `generation`, and waits for the resulting decision.
  WaitId WaitAfterRejection(std::uint64_t generation,
                            Rejection how,
                            BootTime deadline,
                            OnReady ready);

  // Reports a refusal without waiting, because the call was already repeated.
  void NoteRejection(std::uint64_t generation, Rejection how);

  // Cancels a wait, so that its callback does not run. Does nothing for a wait that has ended.
  void CancelWait(WaitId wait);

 private:
  struct Waiter {
    std::optional<std::uint64_t> rejected;  // the generation, after a rejection
    EventLoop::TimerId timer = 0;
    OnReady ready;
  };

  struct PendingLogin {
    std::uint64_t attempt = 0;
    ipc::LoginRequestId id{};
    ipc::LoginRequest request{};
  };

  enum class Attempt : std::uint8_t { kLogin, kRenewal };

  void Apply(const TokenActions& actions);
  void ApplyOne(const TokenAction& action);
  void AskForLogin(const TokenAction& action);
  void Renew(const TokenAction& action);
  void OnRenewed(const TokenAction& action, openbao::CallReport report, openbao::AuthValue value);
  void Tick();
  void Rearm();
  void Settle();
  void SettleSoon();
  WaitId AddWaiter(std::optional<std::uint64_t> rejected, BootTime deadline, OnReady ready);
  std::optional<Ready> Decide(const Waiter& waiter);
  void Report(Attempt attempt,
              ipc::Outcome outcome,
              std::string_view status,
              const std::vector<openbao::CallRecord>& calls);
  // Reports a change other than a login or renewal; `status` stays empty.
  void ReportState(ipc::Outcome outcome, const std::vector<openbao::CallRecord>& calls);
  ipc::TokenStatus StatusNow();
  void LogAttempt(const std::string& event,
                  std::string_view status,
                  openbao::ErrorClass error_class);

  TokenSurroundings around_;
  std::int64_t renewal_increment_seconds_;
  TokenStateMachine machine_;
  SecretBuffer token_;
  SecretBuffer incoming_;
  std::optional<PendingLogin> login_;
  openbao::CallId renewal_ = 0;
  EventLoop::TimerId timer_ = 0;
  EventLoop::TimerId settle_ = 0;
  std::map<WaitId, Waiter> waiters_;
  WaitId last_wait_ = 0;
};

}  // namespace baokms::worker
