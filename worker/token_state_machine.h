// The life cycle of one token as a pure state machine: events and clock readings in, actions out.
// It holds no token, sends nothing and reads no clock; worker/token_source.h does.

#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <vector>

#include "common/base/clock.h"
#include "common/openbao/error_class.h"
#include "proto/ipc.pb.h"
#include "worker/token_lease.h"

namespace baokms::worker {

enum class RenewalMode : std::uint8_t {
  kBySelf,   // the worker renews its token and logs in when that fails
  kByLogin,  // the method binds tokens to a credential of the agent: always a new login
};

// Fixed for the life of the process; from the sealed set-up.
struct TokenTiming {
  BootTime refresh_before{};  // auth.loginBeforeTokenExpiry
  BootTime login_timeout{};   // a whole refresh, renewal and login together
  BootTime longest_wait{};    // caps every back-off and every cooldown
  BootTime check_interval{};  // how often a token that does not expire is looked at
  RenewalMode mode = RenewalMode::kBySelf;
};

struct TokenAction {
  enum class Kind : std::uint8_t {
    kLogin,          // ask the agent; `attempt` names the answer, which is due at `deadline`
    kRenew,          // renew-self with the current token until `deadline`
    kProbe,          // the same, to learn whether the token is alive
    kCancelRenewal,  // forget the renewal or probe that is under way
    kAdoptToken,     // the token that just came is the current one from now on
    kDropToken,      // wipe the current token
    kLoginTimedOut,  // the agent did not answer in time; its answer is unwanted from now on
  };

  Kind kind{};
  std::uint64_t attempt = 0;
  BootTime deadline{};

  friend bool operator==(const TokenAction&, const TokenAction&) = default;
};

using TokenActions = std::vector<TokenAction>;

// What a login or a renewal granted.
struct TokenGrant {
  std::int64_t lease_seconds = 0;  // 0: does not expire
  bool renewable = false;
};

// How a renew-self ended. `grant` counts with kOk only.
struct RenewalEnd {
  openbao::ErrorClass error_class = openbao::ErrorClass::kUnknown;
  TokenGrant grant;
  enum class Token : std::uint8_t { kKept, kReplaced } token = Token::kKept;
};

// How OpenBao refused a call with the token.
enum class Rejection : std::uint8_t { kUnauthenticated, kDenied };

// One login or renewal at a time, whoever wants it. Every event returns what has to be done, in
// order; after each event NextWake() says when Tick() is due.
class TokenStateMachine final {
 public:
  // `random` returns numbers from [0, 1).
  TokenStateMachine(TokenTiming timing, std::function<double()> random);

  // auth.loginBeforeTokenExpiry was changed; holds for tokens that are granted from now on.
  void SetRefreshBefore(BootTime refresh_before) { timing_.refresh_before = refresh_before; }

  // Time has passed. Starts the first login, too.
  TokenActions Tick(Instant now);

  // The agent answered the login `attempt`. Nothing when it is not the one under way. With a
  // `budget_wait` nobody tried to log in: the login budget is used up for this long.
  TokenActions LoginSucceeded(std::uint64_t attempt, TokenGrant grant, Instant now);
  TokenActions LoginFailed(std::uint64_t attempt,
                           ipc::Outcome outcome,
                           Instant now,
                           BootTime budget_wait = {});

  // The renewal `attempt` ended. Nothing when it is not the one under way: a late success does not
  // bring a rejected token back.
  TokenActions RenewalEnded(std::uint64_t attempt, const RenewalEnd& end, Instant now);

  // OpenBao refused a call that used the token of this generation.
  TokenActions Rejected(std::uint64_t generation, Rejection how, Instant now);

  enum class Answer : std::uint8_t {
    kUsable,       // take the current token
    kWait,         // a login or renewal is under way
    kUnavailable,  // no token now; last_outcome() says why
    kKept,         // the rejected token stays current: the refusal stands
  };

  // Whether a call may start.
  [[nodiscard]] Answer Ask(Instant now);

  // What becomes of a call whose token of this generation was rejected. kUsable: another token is
  // there now.
  [[nodiscard]] Answer AskAfterRejection(std::uint64_t generation, Instant now);

  // When Tick() has to be called at the latest; nothing when an answer has to come first.
  [[nodiscard]] std::optional<BootTime> NextWake(Instant now);

  // Names the current token; grows with every kAdoptToken.
  [[nodiscard]] std::uint64_t generation() const { return generation_; }

  // What callers without a token are told.
  [[nodiscard]] ipc::Outcome last_outcome() const { return last_outcome_; }

  // What is left of the current token; nothing when there is none or it does not expire.
  [[nodiscard]] std::optional<BootTime> Remaining(Instant now);

 private:
  enum class Flight : std::uint8_t {
    kNone,
    kLogin,
    kRenewal,  // a refresh: a login follows when it fails
    kProbe,    // somebody met a 403: is the token alive?
    kCheck,    // a token without expiry is looked at from time to time
  };

  struct Held {
    TokenLease lease;
    BootTime lead;          // refreshed when this much is left
    BootTime check_at;      // for leases without end
    BootTime first_length;  // as the login granted it
    bool renewable;
    bool renewed = false;    // renew-self has worked for this token
    bool exhausted = false;  // renewals bring hardly anything any more (the maximum TTL is near)
  };

  // What renew-self said about the current token after a 403.
  enum class Finding : std::uint8_t { kAlive, kUnproven };

  struct Verdict {
    std::uint64_t generation = 0;
    Finding finding{};
    BootTime at{};
  };

  enum class Certainty : std::uint8_t { kDead, kSuspected };

  [[nodiscard]] bool Usable(Instant now);
  [[nodiscard]] bool RefreshIsDue(Instant now);
  [[nodiscard]] bool RenewalInFlight() const;
  [[nodiscard]] Certainty Classify(openbao::ErrorClass refusal) const;
  [[nodiscard]] std::optional<Finding> FreshFinding(BootTime now) const;
  TokenActions StartRefresh(Instant now);
  TokenActions StartLogin(BootTime deadline, Instant now);
  TokenActions StartRenewal(Flight flight, BootTime limit, Instant now);
  TokenActions Recover(Certainty certainty, Instant instant);
  void BeginCooldown(BootTime now);
  TokenActions DropToken();
  TokenActions AfterRefusedProbe(Flight flight, openbao::ErrorClass refusal, Instant now);
  TokenActions AfterFailedRenewal(openbao::ErrorClass failure, Instant now);
  void Fail(ipc::Outcome outcome, BootTime now);

  // Keeps why there is no token. The login budget is the provider's own limit and never replaces
  // the last real cause.
  void NoteOutcome(ipc::Outcome outcome);
  void Hold(TokenGrant grant, Instant now);
  void Extend(const TokenGrant& grant, Instant now);
  void SetTimes(Instant now);

  TokenTiming timing_;
  std::function<double()> random_;
  std::optional<Held> token_;
  std::uint64_t generation_ = 0;
  Flight flight_ = Flight::kNone;
  std::uint64_t attempt_ = 0;
  Instant flight_began_;
  BootTime flight_deadline_{};
  BootTime retry_at_{};  // no refresh before it
  std::uint32_t failures_ = 0;
  std::optional<Verdict> verdict_;
  std::optional<BootTime> last_rejection_;
  BootTime cooldown_until_{};
  bool recovery_pending_ = false;  // the next login is one, as soon as the cooldown has ended
  std::uint32_t recoveries_ = 0;
  ipc::Outcome last_outcome_ = ipc::OUTCOME_AUTH_FAILED;
};

}  // namespace baokms::worker
