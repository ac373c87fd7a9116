#include "common/base/seccomp_policy.h"

#include <seccomp.h>

#include <gtest/gtest.h>

#include "common/base/error.h"

namespace baokms {
namespace {

constexpr DangerousGrant kForThisTest("ADR-0011");

TEST(SeccompPolicyTest, AllowsADangerousCallOnlyWithConditionsOrAGrant) {
  for (const int call : {SCMP_SYS(fcntl), SCMP_SYS(sendto), SCMP_SYS(connect), SCMP_SYS(execve)}) {
    SeccompPolicy policy = SeccompPolicy::CreateForChild().value();
    const Status refused = policy.Allow({SCMP_SYS(read), call});
    ASSERT_FALSE(refused) << call;
    EXPECT_EQ(refused.error().code(), ErrorCode::kInvalidArgument);
    EXPECT_TRUE(policy.AllowIf(call, {ArgumentIs(1, 0)}));
    EXPECT_TRUE(policy.Allow({call}, kForThisTest));
  }
}

}  // namespace
}  // namespace baokms
