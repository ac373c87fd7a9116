// The filter's text is the reviewed one, and does what docs/security.md says.

#include <gtest/gtest.h>

#include "supervisor/serve/sandbox.h"
#include "tests/base/documented_calls.h"
#include "tests/base/documented_filter.h"
#include "tests/base/golden_policy.h"

namespace baokms::supervisor {
namespace {

TEST(SupervisorPolicyTest, TextIsTheReviewedOne) {
  ExpectReviewedPolicy(BuildSupervisorPolicy(ListenerRights::kBindKmsSocket, kDocumentedPid),
                       "supervisor/serve");
}

TEST(SupervisorPolicyTest, AllowsWhatIsDocumentedAndNothingElse) {
  ExpectDocumentedFilter(
      [] { return BuildSupervisorPolicy(ListenerRights::kBindKmsSocket, kDocumentedPid); },
      ConfinedProcess::kSupervisor);
}

}  // namespace
}  // namespace baokms::supervisor
