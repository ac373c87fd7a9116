// How this folder refuses input that breaks a rule of the contract.

#pragma once

#include "common/base/error.h"

namespace baokms::contract {

// The text names the rule and never what was read.
constexpr Error Invalid(Literal what) {
  return Error(ErrorCode::kInvalidArgument, what);
}

}  // namespace baokms::contract
