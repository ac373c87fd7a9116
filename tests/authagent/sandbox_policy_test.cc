// The filter's text is the reviewed one.

#include <gtest/gtest.h>

#include "authagent/sandbox.h"
#include "tests/base/golden_policy.h"

namespace baokms::authagent {
namespace {

TEST(AgentPolicyTest, TextIsTheReviewedOne) {
  ExpectReviewedPolicy(BuildPolicy(), "authagent");
}

}  // namespace
}  // namespace baokms::authagent
