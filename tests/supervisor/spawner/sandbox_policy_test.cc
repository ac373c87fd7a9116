// The filter's text is the reviewed one.

#include <gtest/gtest.h>

#include "supervisor/spawner/sandbox.h"
#include "tests/base/golden_policy.h"

namespace baokms::supervisor {
namespace {

TEST(SpawnerPolicyTest, TextIsTheReviewedOne) {
  ExpectReviewedPolicy(BuildSpawnerPolicy(), "supervisor/spawner");
}

}  // namespace
}  // namespace baokms::supervisor
