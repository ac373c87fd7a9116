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
[[nodiscard]] StartFailure Failure(std::string_view what, const Error& error);

}  // namespace baokms::supervisor
