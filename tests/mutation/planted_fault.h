// What tests/mutation/run puts into a copy of the tree, so that one build has many faults.

#pragma once

#include <cstdlib>
#include <string_view>

namespace baokms {

// Whether the environment asks for this fault. Children have an environment of their own, so a
// fault in their programs needs a build of its own.
inline bool PlantedFault(std::string_view name) {
  const char* const wanted = std::getenv("BAOKMS_PLANTED_FAULT");
  return wanted != nullptr && wanted == name;
}

}  // namespace baokms
