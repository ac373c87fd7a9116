// The error for input that breaks a rule of the contract.

#pragma once

#include "common/base/error.h"

namespace baokms::contract {

// Returns kInvalidArgument. `what` names the rule and never the input.
constexpr Error Invalid(Literal what) {
  return Error(ErrorCode::kInvalidArgument, what);
}

}  // namespace baokms::contract
