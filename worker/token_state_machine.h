// The life cycle of one token as a pure state machine: its inputs are events and clock readings,
// its outputs are actions. It holds no token, sends nothing and reads no clock;
// worker/token_source.h does.

#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <vector>

#include "common/base/backoff.h"
#include "common/base/clock.h"
#include "common/openbao/error_class.h"
#include "proto/ipc.pb.h"
#include "worker/token_lease.h"

namespace baokms::worker {

enum class RenewalMode : std::uint8_t {
  kBySelf,   // the worker renews its token and logs in when that fails
  kByLogin,  // tokens are bound to a credential of the agent, so every refresh is a login
};

// Fixed for the lifetime of the process; from the sealed set-up.
struct TokenTiming {
  BootTime refresh_before{};  // auth.loginBeforeTokenExpiry
  BootTime login_timeout{};   // for a whole refresh, renewal and login together
  BootTime longest_wait{};    // limits every back-off and every cooldown
  BootTime check_interval{};  // interval between checks of a token that does not expire
  RenewalMode mode = RenewalMode::kBySelf;
};

struct TokenAction {
  enum class Kind : std::uint8_t {
    kLogin,          // ask the agent; `attempt` identifies the answer, due at `deadline`
    kRenew,          // renew-self with the current token until `deadline`
    kProbe,          // the same, to find out whether the token is alive
    kCancelRenewal,  // abandon the renewal or probe in progress
    kAdoptToken,     // make the token just received the current one
    kDropToken,      // wipe the current token
    kLoginTimedOut,  // the agent missed the deadline; ignore its answer
  };

  Kind kind{};
  std::uint64_t attempt = 0;
  BootTime deadline{};

  friend bool operator==(const TokenAction&, const TokenAction&) = default;
};

using TokenActions = std::vector<TokenAction>;

// The grant of a login or renewal.
struct TokenGrant {
  std::int64_t lease_seconds = 0;  // 0: does not expire
  bool renewable = false;
};

// The result of a renew-self. `grant` is set only with kOk.
struct RenewalEnd {
  openbao::ErrorClass error_class = openbao::ErrorClass::kUnknown;
  TokenGrant grant;
  enum class Token : std::uint8_t { kKept, kReplaced } token = Token::kKept;
};

// How OpenBao refused a call that used the token.
enum class Rejection : std::uint8_t { kUnauthenticated, kDenied };

// Runs at most one login or renewal at a time. Every event returns the actions to take, in order;
// after each event NextWake() returns when Tick() is due.
class TokenStateMachine final {
 public:
  // `random` returns numbers from [0, 1).
  TokenStateMachine(TokenTiming timing, std::function<double()> random);

  // Changes auth.loginBeforeTokenExpiry for tokens that are granted from now on.
  void SetRefreshBefore(BootTime refresh_before) { timing_.refresh_before = refresh_before; }

  // Handles the passage of time; also starts the first login.
  TokenActions Tick(Instant now);

  // Handle the agent's answer to the login `attempt`. They return no actions unless that login is
  // in progress. With a `budget_wait` no login was attempted: the login budget is exhausted for
  // this long.
  TokenActions LoginSucceeded(std::uint64_t attempt, TokenGrant grant, Instant now);
  TokenActions LoginFailed(std::uint64_t attempt,
                           ipc::Outcome outcome,
                           Instant now,
                           BootTime budget_wait = {});

  // Handles the end of the renewal `attempt`. Returns no actions unless it is in progress: a late
  // success does not restore a rejected token.
  TokenActions RenewalEnded(std::uint64_t attempt, const RenewalEnd& end, Instant now);

  // Handles OpenBao's refusal of a call that used the token of this generation.
  TokenActions Rejected(std::uint64_t generation, Rejection how, Instant now);

  enum class Answer : std::uint8_t {
    kUsable,       // use the current token
    kWait,         // a login or renewal is in progress
    kUnavailable,  // no token now; last_outcome() has the reason
    kKept,         // the rejected token stays current, and the refusal is final
  };

  // Returns whether a call may start.
  [[nodiscard]] Answer Ask(Instant now);

  // Returns how a call continues whose token of this generation was rejected. kUsable: a different
  // token is available now.
  [[nodiscard]] Answer AskAfterRejection(std::uint64_t generation, Instant now);

  // Returns the time by which Tick() must be called; nothing when an answer must arrive first.
  [[nodiscard]] std::optional<BootTime> NextWake(Instant now);

  // Identifies the current token; increases with every kAdoptToken.
  [[nodiscard]] std::uint64_t generation() const { return generation_; }

  // Returns the outcome for callers without a token.
  [[nodiscard]] ipc::Outcome last_outcome() const { return last_outcome_; }

  // Returns the remaining lifetime of the current token; nothing when there is none or it does not
  // expire.
  [[nodiscard]] std::optional<BootTime> Remaining(Instant now);

 private:
  enum class Activity : std::uint8_t {
    kNone,
    kLogin,
    kRenewal,  // a refresh: a login follows if it fails
    kProbe,    // after a 403: is the token alive?
    kCheck,    // the periodic check of a token without expiry
  };

  struct Held {
    TokenLease lease;
    BootTime lead;          // refresh when this much is left
    BootTime check_at;      // for tokens that do not expire
    BootTime first_length;  // the lifetime that the login granted
    bool renewable;
    bool renewed = false;    // a renew-self of this token succeeded
    bool exhausted = false;  // renewals hardly extend it any more (near the maximum TTL)
  };

  // The result of renew-self for the current token after a 403.
  enum class Finding : std::uint8_t { kAlive, kUnproven };

  struct ProbeResult {
    std::uint64_t generation = 0;
    Finding finding{};
    BootTime at{};
  };

  enum class Certainty : std::uint8_t { kDead, kSuspected };

  [[nodiscard]] bool Usable(Instant now);
  [[nodiscard]] bool RefreshIsDue(Instant now);
  [[nodiscard]] bool IsRenewing() const;
  [[nodiscard]] Certainty Classify(openbao::ErrorClass refusal) const;
  [[nodiscard]] std::optional<Finding> FreshFinding(BootTime now) const;
  TokenActions StartRefresh(Instant now);
  TokenActions StartLogin(BootTime deadline, Instant now);
  TokenActions StartRenewal(Activity activity, BootTime limit, Instant now);
  TokenActions Recover(Certainty certainty, Instant instant);
  void BeginCooldown(BootTime now);
  TokenActions DropToken();
  TokenActions AfterRefusedProbe(Activity activity, openbao::ErrorClass refusal, Instant now);
  TokenActions AfterFailedRenewal(openbao::ErrorClass failure, Instant now);
  void Fail(ipc::Outcome outcome, BootTime now);

  // Stores why there is no token. The login budget is the provider's own limit and never replaces
  // the last actual cause.
  void NoteOutcome(ipc::Outcome outcome);
  void Hold(TokenGrant grant, Instant now);
  void Extend(const TokenGrant& grant, Instant now);
  void SetTimes(Instant now);

  TokenTiming timing_;
  std::function<double()> random_;
  std::optional<Held> token_;
  std::uint64_t generation_ = 0;
  Activity activity_ = Activity::kNone;
  std::uint64_t attempt_ = 0;
  Instant activity_began_;
  BootTime activity_deadline_{};
  BootTime retry_at_{};  // no refresh before this time
  Backoff backoff_;      // of failed logins and renewals
  std::optional<ProbeResult> probe_result_;
  std::optional<BootTime> last_rejection_;
  BootTime cooldown_until_{};
  bool recovery_pending_ = false;  // a login follows as soon as the cooldown has ended
  Backoff cooldown_;               // of logins that replace a rejected token
  ipc::Outcome last_outcome_ = ipc::OUTCOME_AUTH_FAILED;
};

}  // namespace baokms::worker
