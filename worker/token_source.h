// The worker's token: gets it from the auth agent, keeps it in locked memory, renews and replaces
// it as worker/token_state_machine.h decides, and tells the supervisor (never the token itself).

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

// What a token source needs of its surroundings. The references must outlive it.
struct TokenSurroundings {
  EventLoop& loop;
  openbao::Transit& transit;
  LogSink& log;
  std::function<void(const ipc::LoginRequest&)> ask_agent;
  std::function<void(const ipc::TokenStatus&)> tell_supervisor;
};

// Everything belongs to the loop's thread. Callbacks never run inside the call that asked for them.
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

  // As TokenStateMachine's.
  void SetRefreshBefore(BootTime refresh_before) { machine_.SetRefreshBefore(refresh_before); }

  // Messages of the agent. An answer that nobody waits for is dropped; kProtocolViolation for one
  // that is malformed.
  Status OnToken(std::span<std::uint8_t> body);
  Status OnLoginFailed(const ipc::LoginFailed& message);

  // The token to use now; null when there is none. Valid until the loop runs again.
  struct Current {
    const SecretBuffer* token = nullptr;
    std::uint64_t generation = 0;
  };

  [[nodiscard]] Current Take();

  // How a wait ended.
  struct Ready {
    enum class Kind : std::uint8_t {
      kToken,        // Take() gives one
      kUnavailable,  // there is none; `outcome` says why
      kTimedOut,     // the deadline passed
      kKept,         // the rejected token stays; OpenBao's refusal stands
    };

    Kind kind{};
    ipc::Outcome outcome = ipc::OUTCOME_UNSPECIFIED;
  };

  using OnReady = std::function<void(Ready)>;
  using WaitId = std::uint64_t;

  // Waits for a token.
  WaitId Wait(BootTime deadline, OnReady ready);

  // Says that OpenBao refused the token of `generation`, and waits for what comes of it.
  WaitId WaitAfterRejection(std::uint64_t generation,
                            Rejection how,
                            BootTime deadline,
                            OnReady ready);

  // The same without waiting: the call was repeated already.
  void NoteRejection(std::uint64_t generation, Rejection how);

  // The callback will not run. Harmless for a wait that is over.
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
  // A change that was no login and no renewal: `status` stays empty.
  void ReportState(ipc::Outcome outcome, const std::vector<openbao::CallRecord>& calls);
  ipc::TokenStatus StatusNow();
  void LogAttempt(Attempt attempt, std::string_view status);

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
