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

// Replaces the text of a failed check by `what`.
inline Status Require(const Status& checked, Literal what) {
  return Require(checked.has_value(), what);
}

}  // namespace baokms::setup
