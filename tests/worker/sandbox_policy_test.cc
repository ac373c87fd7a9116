// The filter's text is the reviewed one.

#include <gtest/gtest.h>

#include "tests/base/golden_policy.h"
#include "worker/sandbox.h"

namespace baokms::worker {
namespace {

TEST(WorkerPolicyTest, TextIsTheReviewedOne) {
  ExpectReviewedPolicy(BuildPolicy(), "worker");
}

}  // namespace
}  // namespace baokms::worker
