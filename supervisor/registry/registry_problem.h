// Why the registry on disk cannot be used, described for the operator: what is wrong, with which
// file, and what to do about it.

#pragma once

#include <cstdint>
#include <string>

#include "common/base/error.h"
#include "common/contract/identity.h"
#include "common/contract/registry.h"

namespace baokms::supervisor {

enum class RegistryFault : std::uint8_t {
  kUnreadable,   // it cannot be read, or not safely
  kCorrupt,      // it violates the format or its hash does not match
  kRolledBack,   // state and checkpoint are inconsistent
  kForeign,      // it was written for another identity
  kNotWritable,  // the checkpoint could not be updated
};

struct RegistryProblem {
  RegistryFault fault;
  std::string path;  // path of the file in question
  Error cause;
  // Replaces the text of `cause`, where that needs values of the registry.
  std::string detail{};
};

// Returns the identities that a registry was written for and is used with, by their fingerprints:
// "file cfg1.X, configuration cfg1.Y".
std::string DescribeIdentities(const contract::RegistryState& state,
                               const contract::ConfigIdentity& identity);

// Returns one line without a newline. It contains a local path: for the console and the start-up
// log only, never for clients or /ready.
std::string Describe(const RegistryProblem& problem);

}  // namespace baokms::supervisor
