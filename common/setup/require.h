// Short forms of checks that fail with fixed text.

#pragma once

#include "common/base/error.h"
#include "common/base/result.h"

namespace baokms::setup {

constexpr Error Invalid(Literal what) {
  return {ErrorCode::kInvalidArgument, what};
}

// Returns kInvalidArgument with `what` unless `holds`.
inline Status Require(bool holds, Literal what) {
  return holds ? Status() : Status(Invalid(what));
}

}  // namespace baokms::setup
