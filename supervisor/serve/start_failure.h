// Why `serve` did not start: the exit code and the single line for the operator.

#pragma once

#include <string>
#include <string_view>

#include "common/base/error.h"

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

}  // namespace baokms::supervisor
