// Compares a compiled filter with the tables of docs/security.md: for every number of a call, and
// for every argument that decides, with the values that matter.

#pragma once

#include <cstddef>

#include "tests/base/filter_program.h"

namespace baokms {

// The columns of the tables.
enum class ConfinedProcess : std::size_t { kWorker, kAgent, kSpawner, kSupervisor };

// Does so for x86-64 and for arm64.
void ExpectDocumentedFilter(const BuildPolicyFunction& build, ConfinedProcess process);

}  // namespace baokms
