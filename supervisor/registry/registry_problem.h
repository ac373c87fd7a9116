// Why the registry on disk can not be used, in words for the operator: what is wrong, with which
// file, and what to do about it.

#pragma once

#include <cstdint>
#include <string>

#include "common/base/error.h"

namespace baokms::supervisor {

enum class RegistryFault : std::uint8_t {
  kUnreadable,   // the file system does not give it to us, or not safely
  kCorrupt,      // it is there but breaks the format or its hash
  kRolledBack,   // state and checkpoint do not fit together
  kForeign,      // it belongs to another configuration
  kNotWritable,  // the checkpoint could not be brought up to date
};

struct RegistryProblem {
  RegistryFault fault;
  std::string path;  // of the file in question
  Error cause;
};

// One line without a newline. Names a local path: for the console and the start-up log only, never
// for clients or /ready.
std::string Describe(const RegistryProblem& problem);

}  // namespace baokms::supervisor
