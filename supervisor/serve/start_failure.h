// Why `serve` did not start: the exit code and the single line for the operator.

#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>

#include "common/base/error.h"
#include "common/base/result.h"

namespace baokms::supervisor {

struct StartFailure {
  int exit_code = 5;
  std::string line;
};

// "cannot <what>: <reason>".
[[nodiscard]] inline StartFailure Failure(std::string_view what, const Error& error) {
  return {.line = std::string("cannot ").append(what).append(": ") + error.Describe()};
}

// Like Failure(), for a step in which kInvalidArgument means that the configuration is wrong.
[[nodiscard]] inline StartFailure ConfigFailure(std::string_view what, const Error& error) {
  StartFailure failure = Failure(what, error);
  failure.exit_code = error.code() == ErrorCode::kInvalidArgument ? 3 : 5;
  return failure;
}

// Moves what a step has made to `to`, or returns why `serve` cannot start.
template <typename T>
[[nodiscard]] std::optional<StartFailure> TakeOrFail(std::string_view what, Result<T> made, T& to) {
  if (!made) {
    return Failure(what, made.error());
  }
  to = *std::move(made);
  return std::nullopt;
}

// Likewise for a step that describes its own failure.
template <typename T>
[[nodiscard]] std::optional<StartFailure> TakeOrFail(std::variant<T, StartFailure> made, T& to) {
  if (auto* failure = std::get_if<StartFailure>(&made)) {
    return std::move(*failure);
  }
  to = std::move(std::get<T>(made));
  return std::nullopt;
}

}  // namespace baokms::supervisor
