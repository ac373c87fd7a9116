// The filter's text is the reviewed one.

#include <gtest/gtest.h>

#include "supervisor/serve/sandbox.h"
#include "tests/base/golden_policy.h"

namespace baokms::supervisor {
namespace {

TEST(SupervisorPolicyTest, TextIsTheReviewedOne) {
  ExpectReviewedPolicy(BuildSupervisorPolicy(ListenerRights::kBindKmsSocket), "supervisor/serve");
}

}  // namespace
}  // namespace baokms::supervisor
