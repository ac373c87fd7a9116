// Compares a compiled filter with the tables of docs/security.md: for every number of a call, and
// for every argument that decides, with the values that matter.

#pragma once

#include <map>

#include "tests/policies/all_policies.h"
#include "tests/policies/filter_program.h"

namespace baokms {

// By the names that tests print.
const std::map<std::string, Architecture>& TestedArchitectures();

void ExpectDocumentedFilter(const NamedPolicy& policy, Architecture architecture);

// Expects that what libraries do by a call that arm64 does not have is possible there as well, by
// the call that takes its place.
void ExpectSameOnArm64(const NamedPolicy& policy);

// Expects that whatever the filter of a child allows passes those of the spawners that it can be
// below, which are in force as well.
void ExpectPassesSpawners(const NamedPolicy& child, Architecture architecture);

}  // namespace baokms
