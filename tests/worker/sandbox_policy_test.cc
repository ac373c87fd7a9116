// The filter's text is the reviewed one, and does what docs/security.md says.

#include <gtest/gtest.h>

#include "tests/base/documented_filter.h"
#include "tests/base/golden_policy.h"
#include "worker/sandbox.h"

namespace baokms::worker {
namespace {

TEST(WorkerPolicyTest, TextIsTheReviewedOne) {
  ExpectReviewedPolicy(BuildPolicy(), "worker");
}

TEST(WorkerPolicyTest, AllowsWhatIsDocumentedAndNothingElse) {
  ExpectDocumentedFilter(BuildPolicy, ConfinedProcess::kWorker);
}

}  // namespace
}  // namespace baokms::worker
