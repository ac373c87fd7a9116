// Compares a filter with the text that was reviewed, libseccomp's own text of the policy: a widened
// filter is a diff that nobody can overlook.

#pragma once

#include <string>

#include "tests/policies/all_policies.h"

namespace baokms {

// The files are in tests/policies/reviewed. NAME.x86_64.pfc.golden is the whole text of a policy
// that has no simpler one. NAME.golden is what differs from the simpler policy, call by call, and
// what is different on arm64. With BAOKMS_REGENERATE set in the environment, they are written
// instead.
void ExpectReviewedText(const NamedPolicy& policy);

}  // namespace baokms
