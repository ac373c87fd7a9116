// Ends a fuzz target when its property does not hold. For tests/fuzz only.

#pragma once

#include <cstdio>
#include <cstdlib>

namespace baokms {

// libFuzzer takes the abort for a finding and keeps the input.
inline void Require(bool holds, const char* property) {
  if (!holds) {
    std::fprintf(stderr, "property does not hold: %s\n", property);
    std::abort();
  }
}

}  // namespace baokms
