// A token state machine with a clock of the test's, whose actions come out as text.

#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <string>

#include <gtest/gtest.h>

#include "common/base/clock.h"
#include "common/openbao/error_class.h"
#include "proto/ipc.pb.h"
#include "worker/token_lease.h"
#include "worker/token_state_machine.h"

namespace baokms::worker {

using namespace std::chrono_literals;
using openbao::ErrorClass;
using Answer = TokenStateMachine::Answer;

inline constexpr TokenGrant kHalfHour{1800, true};

inline TokenTiming Timing() {
  TokenTiming timing;
  timing.refresh_before = 5min;
  timing.login_timeout = 5s;
  timing.longest_wait = 30s;
  timing.check_interval = 1h;
  return timing;
}

// A state machine with a clock. Every event gives its actions as text: "probe 3 in 5000", "drop".
class TokenStateMachineFixture : public testing::Test {
 protected:
  std::string Text(const TokenActions& actions) const {
    std::string text;
    for (const TokenAction& action : actions) {
      text += text.empty() ? "" : ", ";
      text += Text(action);
    }
    return text;
  }

  std::string Text(const TokenAction& action) const {
    const auto limit =
        std::chrono::duration_cast<std::chrono::milliseconds>(action.deadline - now_.boot);
    const std::string call =
        " " + std::to_string(action.attempt) + " in " + std::to_string(limit.count());
    switch (action.kind) {
      case TokenAction::Kind::kLogin:
        return "login" + call;
      case TokenAction::Kind::kRenew:
        return "renew" + call;
      case TokenAction::Kind::kProbe:
        return "probe" + call;
      case TokenAction::Kind::kCancelRenewal:
        return "cancel";
      case TokenAction::Kind::kAdoptToken:
        return "adopt";
      case TokenAction::Kind::kDropToken:
        return "drop";
      case TokenAction::Kind::kLoginTimedOut:
        return "timed out";
    }
    return "?";
  }

  void Pass(BootTime time) {
    now_.boot += time;
    now_.wall += time;
  }

  std::string Tick() { return Text(machine_.Tick(now_)); }

  // Ticks whenever the machine wants to be woken, for `time`.
  std::string TickFor(BootTime time) {
    const BootTime end = now_.boot + time;
    for (;;) {
      const auto wake = machine_.NextWake(now_);
      if (!wake || *wake > end) {
        Pass(end - now_.boot);
        return "";
      }
      Pass(std::max(*wake, now_.boot) - now_.boot);
      if (const std::string done = Tick(); !done.empty()) {
        return done;
      }
    }
  }

  std::string Granted(std::uint64_t attempt, TokenGrant grant) {
    return Text(machine_.LoginSucceeded(attempt, grant, now_));
  }

  std::string Refused(std::uint64_t attempt, ipc::Outcome outcome) {
    return Text(machine_.LoginFailed(attempt, outcome, now_));
  }

  // The login budget is used up for this long.
  std::string HeldBack(std::uint64_t attempt, BootTime wait) {
    return Text(machine_.LoginFailed(attempt, ipc::OUTCOME_AUTH_FAILED, now_, wait));
  }

  std::string Renewed(std::uint64_t attempt, ErrorClass error_class, TokenGrant grant = {}) {
    return Text(
        machine_.RenewalEnded(attempt, {error_class, grant, RenewalEnd::Token::kKept}, now_));
  }

  std::string Rejected(Rejection how) {
    return Text(machine_.Rejected(machine_.generation(), how, now_));
  }

  Answer Ask() { return machine_.Ask(now_); }

  Answer AskAfterRejection(std::uint64_t generation) {
    return machine_.AskAfterRejection(generation, now_);
  }

  // The first login, done.
  void LogIn(TokenGrant grant = kHalfHour) {
    ASSERT_EQ(Tick(), "login 1 in 5000");
    ASSERT_EQ(Granted(1, grant), "adopt");
    ASSERT_EQ(Ask(), Answer::kUsable);
  }

  Instant now_{1000s, 1'700'000'000s};
  double random_ = 0.0;
  TokenStateMachine machine_{Timing(), [this] {
                               return random_;
                             }};
};

}  // namespace baokms::worker
