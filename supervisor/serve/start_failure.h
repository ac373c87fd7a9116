// Why `serve` did not start: the exit code and the single line for the operator.

#pragma once

#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <variant>

#include "common/base/error.h"
#include "common/base/result.h"

namespace baokms::supervisor {

// The exit code for an error that the operator corrects in the configuration.
inline constexpr int kConfigurationFailed = 3;

// The exit code for every other error.
inline constexpr int kRuntimeFailed = 5;

struct StartFailure {
  int exit_code = kRuntimeFailed;
  std::string line;
};

// A T, or why `serve` did not start: a Result<T> for BAOKMS_TRY whose error has run-time text.
template <typename T = std::monostate>
class [[nodiscard]] Started final {
 public:
  Started() = default;

  // NOLINTNEXTLINE(google-explicit-constructor)
  Started(T value) : state_(std::move(value)) {}

  // NOLINTNEXTLINE(google-explicit-constructor)
  Started(StartFailure failure) : state_(std::move(failure)) {}

  explicit operator bool() const { return std::holds_alternative<T>(state_); }

  // Reading what is not there ends the process, as in Result. May be ignored: a step that makes
  // nothing has no value to use.
  T value() && noexcept { return std::move(std::get<T>(state_)); }

  [[nodiscard]] const StartFailure& error() const noexcept {
    return std::get<StartFailure>(state_);
  }

 private:
  std::variant<T, StartFailure> state_;
};

// "cannot <what>: <reason>".
[[nodiscard]] inline std::string DescribeFailure(std::string_view what, const Error& error) {
  return std::string("cannot ").append(what).append(": ") + error.Describe();
}

// Returns the result of one step of the start. Its error becomes a failure with `if_invalid` as the
// exit code for kInvalidArgument, and kRuntimeFailed for any other error.
template <typename T>
auto Step(std::string_view what, Result<T> result, int if_invalid = kRuntimeFailed) {
  using Value = std::conditional_t<std::is_void_v<T>, std::monostate, T>;
  if (!result) {
    const bool invalid = result.error().code() == ErrorCode::kInvalidArgument;
    return Started<Value>(StartFailure{.exit_code = invalid ? if_invalid : kRuntimeFailed,
                                       .line = DescribeFailure(what, result.error())});
  }
  if constexpr (std::is_void_v<T>) {
    return Started<Value>();
  } else {
    return Started<Value>(std::move(result).value());
  }
}

}  // namespace baokms::supervisor
